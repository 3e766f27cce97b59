#include "sim/loop/session/object_log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::loop {

ObjectLog::ObjectLog(Store& store, std::function<SimTime()> now, std::function<void(std::string)> line) : now_(std::move(now)), line_(std::move(line)) {
  for (const ResourceInfo& resource : Schema::kubernetes().resources()) {
    // What is asked, not stored, cannot be watched either.
    if (resource.kind == "Event" || resource.kind == "Lease" || !resource.allows("watch")) continue;
    Collection& objects = store.collection(resource);
    if (std::find(watched_.begin(), watched_.end(), &objects) == watched_.end()) watched_.push_back(&objects);
  }
  for (Collection* objects : watched_) {
    for (const auto& [key, document] : objects->objects()) {
      DocumentChange known;
      known.document = document;
      on_change(known);
    }
    objects->watch(*this);
  }
}

ObjectLog::~ObjectLog() {
  for (Collection* objects : watched_) objects->unwatch(*this);
}

void ObjectLog::on_change(const DocumentChange& change) {
  const char* const type = change.type == DocumentChange::Type::kAdded ? "ADDED" : change.type == DocumentChange::Type::kModified ? "MODIFIED" : "DELETED";
  line_(fmt::format("{{\"at\": {:.9f}, \"type\": \"{}\", \"object\": {}}}", seconds(now_()), type, change.json()));
}

}  // namespace sim::loop
