/// Cuts what kubectl, an API server or helm printed into its objects, without building a tree of the whole: a dump of a large cluster is hundreds of megabytes.
///
/// JSON: one value, or several behind one another (JSON lines); the members of `items` come one by one. YAML: documents, and in each the members of `items`.
/// What the cutter does not understand (anchors over several objects, directives, broken text) it hands on whole: the reader then says what is wrong where.
///
/// Checked by: tests/scenario/dump_items_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario::dump {

/// What the object stood in.
struct ListOf {
  std::string api_version;  // of a typed list (PodList): what its items leave out
  std::string kind;         // "Pod"; empty: every item says its own
};

/// One object of a dump; the tree lives as long as the document.
struct Item {
  std::shared_ptr<const Document> document;
  Node object;
  ListOf list;
  std::uint32_t lines_before = 0;  // of the object's document: what its places lack
};

using ItemSink = std::function<void(const Item&)>;

/// Calls `sink` with each object in the order of the text. Places of diagnostics are those of the whole text. `remains` is told of lists that
/// were cut off by `limit` or `chunk` (metadata.continue).
void for_each_item(const std::string& name, std::string_view text, Diagnostics& diagnostics, const ItemSink& sink, const std::function<void()>& remains = {});

}  // namespace sim::scenario::dump
