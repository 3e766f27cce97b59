#include "sim/loop/patch/patches.hpp"

namespace sim::loop {

void merge_patch(Json& document, const Json& patch) {
  if (!patch.is_object()) {
    document = patch;
    return;
  }
  if (!document.is_object()) document = Json::object();
  for (const Member& member : patch.members()) {
    if (member.value.is_null()) {
      document.erase(member.key);
    } else if (member.value.is_object()) {
      merge_patch(document[member.key], member.value);
    } else {
      document.set(member.key, member.value);
    }
  }
}

}  // namespace sim::loop
