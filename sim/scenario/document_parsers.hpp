/// What the parsers of YAML and JSON share: building a tree from events, with the bounds and the checks.
/// Internal to document*.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sim/scenario/document.hpp"

namespace sim::scenario::detail {

struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t begin = 0;
};

/// Thrown by the builder to leave a parser's recursion; the diagnostic has been added already.
struct GiveUp {};

class TreeBuilder {
 public:
  TreeBuilder(const SourceFile& file, Arena& arena, Diagnostics& diagnostics) : file_(file), arena_(arena), diagnostics_(diagnostics) {}

  void begin_document();
  /// The document's root; null when it was empty. Call after the last event.
  const NodeData* end_document();

  void null(Position at, std::size_t anchor = 0);
  void scalar(Position at, std::string_view text, bool plain, std::size_t anchor = 0);
  void alias(Position at, std::size_t anchor);
  void begin_sequence(Position at, std::size_t anchor = 0);
  void end_sequence();
  void begin_map(Position at, std::size_t anchor = 0);
  void end_map();
  [[noreturn]] void fail(Position at, std::string message);

 private:
  struct Frame {
    NodeData node;
    std::size_t first = 0;       // of its children in values_
    std::uint64_t expanded = 1;  // nodes below and itself, aliases counted in full
    std::size_t height = 0;      // nesting below
    std::size_t anchor = 0;
    bool has_merge = false;
  };
  struct Anchored {
    const NodeData* node = nullptr;  // null while it is still open
    std::uint64_t expanded = 1;
    std::size_t height = 0;
  };
  Place place(Position at) const { return Place{file_.shared_from_this(), at.line, at.column}; }
  void push(const NodeData* node, std::uint64_t expanded, std::size_t height);
  void open(Position at, NodeKind kind, std::size_t anchor);
  void close(Frame& frame, const NodeData* node);
  bool expects_key() const;
  void merge(std::vector<NodeEntry>& entries, std::unordered_set<std::string_view>& present, const NodeData* value);
  void refuse_duplicates(const std::vector<NodeEntry>& entries);

  const SourceFile& file_;
  Arena& arena_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::vector<const NodeData*> values_;
  std::unordered_map<std::size_t, Anchored> anchors_;  // look-up only
  std::uint64_t alias_nodes_ = 0;
  const NodeData* root_ = nullptr;
  std::vector<NodeEntry> entries_;  // of the map that ends
};

/// Reads the YAML that programs write: block maps and sequences of one-line scalars (plain, or in quotes without escapes), `{}` and `[]`. Anything
/// else it leaves to yaml-cpp, and it must agree with yaml-cpp on every text that it takes (a test holds the two against each other). It is
/// some twenty times faster, which makes a dump of a cluster a matter of a fraction of a second.
class BlockParser {
 public:
  BlockParser(const SourceFile& file, Arena& arena);
  /// One document. False when it is not of that kind, or anything about it is wrong: yaml-cpp then says what.
  bool parse(std::uint32_t begin, std::uint32_t end, std::uint32_t first_line, const NodeData*& root);

 private:
  struct Open {
    std::size_t indent;
    bool is_sequence;
  };
  bool lines(std::size_t begin, std::size_t end, std::uint32_t number);
  bool content(std::string_view line, std::size_t indent);
  std::size_t key_end(std::string_view line, std::size_t from) const;
  bool key(std::string_view line, std::size_t from, bool opens);
  bool value(std::string_view line, std::size_t from);
  void close();
  Position at(std::size_t column) const {
    return Position{line_, static_cast<std::uint32_t>(column) + 1, static_cast<std::uint32_t>(line_begin_ + column)};
  }

  std::string_view text_;
  Diagnostics diagnostics_;  // what it holds is thrown away: yaml-cpp finds it again
  TreeBuilder builder_;
  std::vector<Open> open_;
  bool pending_ = false;  // a key whose value has not begun
  Position pending_at_;
  std::size_t line_begin_ = 0;
  std::uint32_t line_ = 0;
};

/// Parses bytes [begin, end) of the file, which start at the beginning of line `first_line`, as YAML. Adds the roots.
void parse_yaml(const SourceFile& file, std::uint32_t begin, std::uint32_t end, std::uint32_t first_line, Arena& arena,
                Diagnostics& diagnostics, std::vector<const NodeData*>& roots);
/// Parses the file as one JSON value.
void parse_json(const SourceFile& file, Arena& arena, Diagnostics& diagnostics, std::vector<const NodeData*>& roots);

}  // namespace sim::scenario::detail
