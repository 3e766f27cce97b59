#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

void ObjectReader::attachment(Yaml object) {
  Manifest<VolumeAttachment> m = begin<VolumeAttachment>(object, false);
  if (const Yaml spec = spec_of(object); spec) {
    m.object.attacher = symbol(spec, "attacher");
    m.object.node = symbol(spec, "nodeName");
    m.object.volume = symbol(map(spec, "source"), "persistentVolumeName");
    if (!m.object.volume) impossible(spec, "VolumeAttachment needs 'spec.source.persistentVolumeName'");
  }
  m.object.attached = boolean(map(object, "status"), "attached", false);
  put(set->attachments, std::move(m));
}

}  // namespace sim::scenario::manifests
