/// YAML and JSON as one tree that knows where each value stands.
///
/// A file may hold several YAML documents. Plain scalars are typed by the YAML 1.2 core schema when they are asked for: `yes`
/// and `on` are strings, `010` is no number (an error where one is expected), `.nan` and `.inf` are no numbers. Anchors, aliases and merge keys (`<<`) are resolved.
/// Refused with their place: duplicate keys, keys that are no scalars, unknown tags, invalid UTF-8, NUL and other control characters,
/// nesting deeper than 100, more than a million nodes by aliases, files over 64 MiB.
///
/// Source:     YAML 1.2.2 chapter 10.3 (core schema), RFC 8259. Scanning YAML is yaml-cpp's work (document_yaml.cpp), after which
///             nothing of it is left; JSON is read here, because simdjson names no place for most errors.
/// Leaves out: comments; `%TAG` shorthands beyond yaml-cpp's; JSON lines.
/// Checked by: tests/scenario/document_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/scenario/diagnostic.hpp"

namespace sim::scenario {

enum class NodeKind : std::uint8_t { kNull, kScalar, kSequence, kMap };

namespace detail {

struct NodeData;
struct NodeEntry {
  const NodeData* key;
  const NodeData* value;
};
/// One value. Lives in an Arena; never changes after it was built.
struct NodeData {
  NodeKind kind = NodeKind::kNull;
  bool plain = false;  // a scalar without quotes, to be typed
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t begin = 0;  // offset in the file
  std::uint32_t size = 0;   // bytes, items or entries
  const SourceFile* file = nullptr;
  union {
    const char* text = nullptr;
    const NodeData* const* items;
    const NodeEntry* entries;
  };
};

/// Memory for nodes and texts, given back all at once.
class Arena {
 public:
  template <class T>
  T* allocate(std::size_t count) {
    return static_cast<T*>(allocate_bytes(count * sizeof(T), alignof(T)));
  }
  const char* copy(std::string_view text);
  /// Keeps something alive as long as this arena (files and arenas whose nodes are referred to from here).
  void keep(std::shared_ptr<const void> other) { kept_.push_back(std::move(other)); }

 private:
  void* allocate_bytes(std::size_t bytes, std::size_t alignment);
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::size_t used_ = 0;
  std::size_t block_size_ = 0;
  std::vector<std::shared_ptr<const void>> kept_;
};

}  // namespace detail

/// A value of a document: a cheap handle that is valid as long as its Document. Node{} is absent.
class Node {
 public:
  struct Entry;
  Node() = default;
  explicit Node(const detail::NodeData* data) : data_(data) {}

  explicit operator bool() const { return data_ != nullptr; }
  bool is_null() const { return data_ == nullptr || data_->kind == NodeKind::kNull; }
  bool is_map() const { return kind() == NodeKind::kMap; }
  bool is_sequence() const { return kind() == NodeKind::kSequence; }
  bool is_scalar() const { return kind() == NodeKind::kScalar; }
  NodeKind kind() const { return data_ == nullptr ? NodeKind::kNull : data_->kind; }

  /// Of a scalar: its characters, whatever its type.
  std::string_view text() const { return is_scalar() ? std::string_view(data_->text, data_->size) : std::string_view(); }
  bool is_plain() const { return is_scalar() && data_->plain; }
  /// The type of a scalar by the core schema.
  bool is_string() const;
  std::optional<bool> as_bool() const;
  /// Decimal, 0o and 0x integers that fit. Not `010`, not `1.0`.
  std::optional<std::int64_t> as_integer() const;
  /// Integers and decimal fractions; never NaN or infinite.
  std::optional<double> as_number() const;

  /// Items of a sequence or entries of a map; 0 for everything else.
  std::size_t size() const { return is_map() || is_sequence() ? data_->size : 0; }
  Node item(std::size_t index) const { return Node(data_->items[index]); }
  Node key(std::size_t index) const { return Node(data_->entries[index].key); }
  Node value(std::size_t index) const { return Node(data_->entries[index].value); }
  /// The value of a key of a map; absent when there is none (or this is no map).
  Node find(std::string_view key) const;
  /// The key itself, for diagnostics.
  Node find_key(std::string_view key) const;

  std::uint32_t line() const { return data_ == nullptr ? 0 : data_->line; }
  std::uint32_t column() const { return data_ == nullptr ? 0 : data_->column; }
  Place place() const;
  const SourceFile* file() const { return data_ == nullptr ? nullptr : data_->file; }
  const detail::NodeData* data() const { return data_; }

  /// What a diagnostic calls it: "the number 30", "'abc'", "a map", "nothing".
  std::string describe() const;

 private:
  const detail::NodeData* data_ = nullptr;
};

/// One file and the documents in it.
class Document {
 public:
  /// The roots in file order. Empty documents are left out.
  const std::vector<Node>& roots() const { return roots_; }
  /// The first root; absent when there is none.
  Node root() const { return roots_.empty() ? Node{} : roots_.front(); }
  const std::shared_ptr<const SourceFile>& file() const { return file_; }

 private:
  friend std::shared_ptr<const Document> load_text(std::string, std::string, Diagnostics&);
  friend class TreeEditor;
  std::shared_ptr<const SourceFile> file_;
  std::vector<std::shared_ptr<detail::Arena>> arenas_;
  std::vector<Node> roots_;
};

inline constexpr std::size_t kFileSizeLimit = 64u << 20;
inline constexpr std::size_t kDepthLimit = 100;
inline constexpr std::uint64_t kAliasNodeLimit = 1'000'000;

/// Reads a file whole. Null when it cannot be read; with syntax errors, the documents that have none.
std::shared_ptr<const Document> load_file(const std::string& path, Diagnostics& diagnostics);
/// The same for a text that is already there. JSON when the name ends in ".json"; otherwise YAML, of which JSON is a part.
std::shared_ptr<const Document> load_text(std::string name, std::string text, Diagnostics& diagnostics);

/// Makes changed copies of a tree: what is unchanged is shared, what is new keeps the place it came from.
class TreeEditor {
 public:
  TreeEditor();
  /// RFC 7386: maps merge key by key, null removes, everything else replaces. Patched keys keep the base's order, new ones follow.
  Node merge_patch(Node base, Node patch);
  /// Sets `path` ("pools.workers.count", "faults[0].at") to `value`, making maps on the way. Dots in a key are escaped by a backslash.
  /// Keyed lists (items with `name`) are entered by name. Absent, with the reason in `error`, when the path leads through a scalar or a missing index.
  Node set_path(Node root, std::string_view path, Node value, std::string& error);
  /// Keeps a document alive as long as the result.
  void keep(std::shared_ptr<const Document> document);
  /// The edited tree as a document of its own.
  std::shared_ptr<const Document> finish(Node root);

 private:
  Node make_map(const Node& like, const std::vector<detail::NodeEntry>& entries);
  Node set_step(Node node, const std::vector<std::string>& path, std::size_t depth, Node value, std::string& error);
  std::shared_ptr<detail::Arena> arena_;
};

/// The text of a value as it stands in its file: for a user's object, from its first line to its last. Block style is cut by indentation.
struct SourceRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t column = 1;  // of `begin`: the indentation that the first line lost
};
SourceRange source_range(const Node& node);

}  // namespace sim::scenario
