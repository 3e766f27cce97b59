/// The four ways to change an object in part.
///
/// json_patch: RFC 6902. merge_patch: RFC 7386. strategic_merge_patch: Kubernetes' own, by the merge keys of the built-in types, with its directives
/// ($patch, $deleteFromPrimitiveList, $setElementOrder, $retainKeys). Server-side apply is in apply.hpp.
///
/// Source:     apimachinery pkg/util/strategicpatch/patch.go; evanphx/json-patch.v4 (messages).
/// Checked by: tests/loop/patches_test.cpp.
#pragma once

#include <optional>
#include <string>

#include "sim/loop/json/json.hpp"
#include "sim/loop/schema/schema.hpp"

namespace sim::loop {

/// The error; empty when the patch went through. `test_failed`: an operation did not find what it expected (422 rather than 400).
std::string json_patch(Json& document, const Json& patch);
void merge_patch(Json& document, const Json& patch);
/// `type` is the document's.
std::string strategic_merge_patch(Json& document, const Json& patch, const TypeInfo& type);

}  // namespace sim::loop
