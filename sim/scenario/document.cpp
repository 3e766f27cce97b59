#include "sim/scenario/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <new>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "sim/scenario/document_parsers.hpp"
#include "sim/scenario/path.hpp"

namespace sim::scenario {

namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The core schema's float: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool looks_like_float(std::string_view text) {
  std::size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  const std::size_t whole = i;
  while (i < text.size() && is_digit(text[i])) ++i;
  std::size_t digits = i - whole;
  if (i < text.size() && text[i] == '.') {
    const std::size_t fraction = ++i;
    while (i < text.size() && is_digit(text[i])) ++i;
    digits += i - fraction;
  }
  if (digits == 0) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    const std::size_t exponent = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    if (i == exponent) return false;
  }
  return i == text.size();
}

/// An integer of the core schema in any of its bases, and also one with leading zeros: not a string in any case.
bool looks_like_integer(std::string_view text) {
  std::size_t i = 0;
  if (text.starts_with("0x") && text.size() > 2) {
    return std::all_of(text.begin() + 2, text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
  }
  if (text.starts_with("0o") && text.size() > 2) {
    return std::all_of(text.begin() + 2, text.end(), [](char c) { return c >= '0' && c <= '7'; });
  }
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  return i < text.size() && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), is_digit);
}

bool looks_like_bool(std::string_view text) { return is_one_of(text, {"true", "True", "TRUE", "false", "False", "FALSE"}); }
bool looks_like_special_float(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return is_one_of(text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"});
}

constexpr detail::NodeData kNoData{};

}  // namespace

// ---- Arena ----------------------------------------------------------------------------------------------------------

namespace detail {

void* Arena::allocate_bytes(std::size_t bytes, std::size_t alignment) {
  used_ = (used_ + alignment - 1) / alignment * alignment;
  if (blocks_.empty() || used_ + bytes > block_size_) {
    // Blocks grow with what is asked of the arena: a `--set` needs little, a dump of a cluster much.
    constexpr std::size_t kFirst = 4u << 10;
    constexpr std::size_t kLargest = 512u << 10;
    block_size_ = std::max(bytes, blocks_.empty() ? kFirst : std::min(block_size_ * 2, kLargest));
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block_size_));
    used_ = 0;
  }
  std::byte* place = blocks_.back().get() + used_;
  used_ += bytes;
  return place;
}

const char* Arena::copy(std::string_view text) {
  if (text.empty()) return "";
  char* place = allocate<char>(text.size());
  std::memcpy(place, text.data(), text.size());
  return place;
}

// ---- TreeBuilder ----------------------------------------------------------------------------------------------------

void TreeBuilder::begin_document() {
  frames_.clear();
  values_.clear();
  anchors_.clear();
  alias_nodes_ = 0;
  root_ = nullptr;
}

const NodeData* TreeBuilder::end_document() {
  return root_ != nullptr && root_->kind == NodeKind::kNull ? nullptr : root_;
}

void TreeBuilder::fail(Position at, std::string message) {
  diagnostics_.error(place(at), std::move(message));
  throw GiveUp{};
}

bool TreeBuilder::expects_key() const {
  return !frames_.empty() && frames_.back().node.kind == NodeKind::kMap && (values_.size() - frames_.back().first) % 2 == 0;
}

void TreeBuilder::push(const NodeData* node, std::uint64_t expanded, std::size_t height) {
  if (frames_.empty()) {
    root_ = node;
    return;
  }
  Frame& frame = frames_.back();
  if (expects_key()) {
    if (node->kind != NodeKind::kScalar) {
      fail(Position{node->line, node->column, node->begin}, "a key must be a string, not " + Node(node).describe());
    }
    if (node->plain && node->size == 2 && node->text[0] == '<' && node->text[1] == '<') frame.has_merge = true;
  }
  values_.push_back(node);
  frame.expanded += expanded;
  frame.height = std::max(frame.height, height + 1);
}

void TreeBuilder::null(Position at, std::size_t anchor) {
  // A value that is not there has no place: yaml-cpp names that of whatever comes next, a reader looks at the key.
  if (!frames_.empty() && frames_.back().node.kind == NodeKind::kMap && !expects_key()) {
    const NodeData* key = values_.back();
    const char there = at.begin < file_.text().size() ? file_.text()[at.begin] : '\0';
    if (at.line != key->line || (there != '~' && there != 'n' && there != 'N' && there != '&' && there != '!')) {
      at = Position{key->line, key->column, key->begin};
    }
  }
  auto* node = new (arena_.allocate<NodeData>(1)) NodeData{};
  node->line = at.line;
  node->column = at.column;
  node->begin = at.begin;
  node->file = &file_;
  if (anchor != 0) anchors_[anchor] = Anchored{node, 1, 0};
  push(node, 1, 0);
}

void TreeBuilder::scalar(Position at, std::string_view text, bool plain, std::size_t anchor) {
  if (text.find('\0') != std::string_view::npos) fail(at, "a string must not hold a NUL character");
  auto* node = new (arena_.allocate<NodeData>(1)) NodeData{};
  node->kind = NodeKind::kScalar;
  node->plain = plain;
  node->line = at.line;
  node->column = at.column;
  node->begin = at.begin;
  node->file = &file_;
  node->size = static_cast<std::uint32_t>(text.size());
  node->text = arena_.copy(text);
  if (anchor != 0) anchors_[anchor] = Anchored{node, 1, 0};
  push(node, 1, 0);
}

void TreeBuilder::alias(Position at, std::size_t anchor) {
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end()) fail(at, "this alias refers to no anchor");
  const Anchored& target = found->second;
  if (target.node == nullptr) fail(at, "this alias refers to a value that contains it");
  alias_nodes_ += target.expanded;
  if (alias_nodes_ > kAliasNodeLimit) fail(at, fmt::format("aliases make this document larger than {} values", kAliasNodeLimit));
  if (frames_.size() + target.height > kDepthLimit) fail(at, fmt::format("nested deeper than {} levels", kDepthLimit));
  push(target.node, target.expanded, target.height);
}

void TreeBuilder::open(Position at, NodeKind kind, std::size_t anchor) {
  if (expects_key()) fail(at, kind == NodeKind::kMap ? "a key must be a string, not a map" : "a key must be a string, not a list");
  if (frames_.size() >= kDepthLimit) fail(at, fmt::format("nested deeper than {} levels", kDepthLimit));
  Frame frame;
  frame.node.kind = kind;
  frame.node.line = at.line;
  frame.node.column = at.column;
  frame.node.begin = at.begin;
  frame.node.file = &file_;
  frame.first = values_.size();
  frame.anchor = anchor;
  if (anchor != 0) anchors_[anchor] = Anchored{};
  frames_.push_back(frame);
}

void TreeBuilder::begin_sequence(Position at, std::size_t anchor) { open(at, NodeKind::kSequence, anchor); }
void TreeBuilder::begin_map(Position at, std::size_t anchor) { open(at, NodeKind::kMap, anchor); }

void TreeBuilder::close(Frame& frame, const NodeData* node) {
  const Frame done = frame;
  if (done.anchor != 0) anchors_[done.anchor] = Anchored{node, done.expanded, done.height};
  values_.resize(done.first);
  frames_.pop_back();
  push(node, done.expanded, done.height);
}

void TreeBuilder::end_sequence() {
  Frame& frame = frames_.back();
  const std::size_t count = values_.size() - frame.first;
  auto* node = new (arena_.allocate<NodeData>(1)) NodeData(frame.node);
  node->size = static_cast<std::uint32_t>(count);
  auto** items = arena_.allocate<const NodeData*>(count);
  std::copy(values_.begin() + static_cast<std::ptrdiff_t>(frame.first), values_.end(), items);
  node->items = items;
  close(frame, node);
}

void TreeBuilder::refuse_duplicates(const std::vector<NodeEntry>& entries) {
  const auto text = [](const NodeEntry& entry) { return std::string_view(entry.key->text, entry.key->size); };
  const auto complain = [&](const NodeEntry& first, const NodeEntry& again) {
    Diagnostic& d = diagnostics_.error(place(Position{again.key->line, again.key->column, 0}), fmt::format("duplicate key '{}'", text(again)));
    d.hint = fmt::format("it stands in line {} already", first.key->line);
  };
  constexpr std::size_t kFew = 12;
  if (entries.size() <= kFew) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (text(entries[i]) != text(entries[j])) continue;
        complain(entries[j], entries[i]);
        break;
      }
    }
    return;
  }
  std::vector<std::uint32_t> order(entries.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return text(entries[a]) < text(entries[b]); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (text(entries[order[i - 1]]) == text(entries[order[i]])) complain(entries[order[i - 1]], entries[order[i]]);
  }
}

void TreeBuilder::merge(std::vector<NodeEntry>& entries, std::unordered_set<std::string_view>& present, const NodeData* value) {
  if (value->kind == NodeKind::kSequence) {
    for (std::uint32_t i = 0; i < value->size; ++i) merge(entries, present, value->items[i]);
    return;
  }
  for (std::uint32_t i = 0; i < value->size; ++i) {
    const NodeEntry& entry = value->entries[i];
    if (present.emplace(entry.key->text, entry.key->size).second) entries.push_back(entry);
  }
}

void TreeBuilder::end_map() {
  Frame& frame = frames_.back();
  std::vector<NodeEntry>& entries = entries_;
  entries.clear();
  for (std::size_t i = frame.first; i + 1 < values_.size(); i += 2) entries.push_back(NodeEntry{values_[i], values_[i + 1]});
  refuse_duplicates(entries);
  if (frame.has_merge) {
    std::vector<NodeEntry> own;
    std::vector<NodeEntry> merges;
    for (const NodeEntry& entry : entries) {
      const bool is_merge = entry.key->plain && std::string_view(entry.key->text, entry.key->size) == "<<";
      (is_merge ? merges : own).push_back(entry);
    }
    std::unordered_set<std::string_view> present;
    for (const NodeEntry& entry : own) present.emplace(entry.key->text, entry.key->size);
    for (const NodeEntry& entry : merges) {
      const NodeData* value = entry.value;
      bool maps = value->kind == NodeKind::kMap;
      if (value->kind == NodeKind::kSequence) {
        maps = std::all_of(value->items, value->items + value->size, [](const NodeData* item) { return item->kind == NodeKind::kMap; });
      }
      if (!maps) fail(Position{value->line, value->column, value->begin}, "'<<' needs a map, or a list of maps, to merge");
      merge(own, present, value);
    }
    entries = std::move(own);
  }
  auto* node = new (arena_.allocate<NodeData>(1)) NodeData(frame.node);
  node->size = static_cast<std::uint32_t>(entries.size());
  auto* place = arena_.allocate<NodeEntry>(entries.size());
  std::copy(entries.begin(), entries.end(), place);
  node->entries = place;
  close(frame, node);
}

}  // namespace detail

// ---- Node -----------------------------------------------------------------------------------------------------------

bool Node::is_string() const {
  if (!is_scalar()) return false;
  if (!data_->plain) return true;
  const std::string_view t = text();
  return !looks_like_bool(t) && !looks_like_integer(t) && !looks_like_float(t) && !looks_like_special_float(t);
}

std::optional<bool> Node::as_bool() const {
  if (!is_plain() || !looks_like_bool(text())) return std::nullopt;
  return text().front() == 't' || text().front() == 'T';
}

std::optional<std::int64_t> Node::as_integer() const {
  if (!is_plain() || !looks_like_integer(text())) return std::nullopt;
  std::string_view t = text();
  int base = 10;
  if (t.starts_with("0x")) {
    base = 16;
  } else if (t.starts_with("0o")) {
    base = 8;
  }
  if (base != 10) t.remove_prefix(2);
  if (t.front() == '+') t.remove_prefix(1);
  // Octal for YAML 1.1, decimal for 1.2: refused, rather than guessed.
  const std::string_view digits = t.front() == '-' ? t.substr(1) : t;
  if (base == 10 && digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value, base);
  if (error != std::errc{} || end != t.data() + t.size()) return std::nullopt;
  return value;
}

std::optional<double> Node::as_number() const {
  if (!is_plain()) return std::nullopt;
  std::string_view t = text();
  if (looks_like_integer(t)) {
    if (const std::optional<std::int64_t> integer = as_integer()) return static_cast<double>(*integer);
    const std::string_view digits = t.front() == '-' || t.front() == '+' ? t.substr(1) : t;
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  }
  if (!looks_like_float(t)) return std::nullopt;
  if (t.front() == '+') t.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
  if (error != std::errc{} || end != t.data() + t.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

Node Node::find(std::string_view key) const {
  if (!is_map()) return Node{};
  for (std::uint32_t i = 0; i < data_->size; ++i) {
    const detail::NodeEntry& entry = data_->entries[i];
    if (entry.key->size == key.size() && std::memcmp(entry.key->text, key.data(), key.size()) == 0) return Node(entry.value);
  }
  return Node{};
}

Node Node::find_key(std::string_view key) const {
  for (std::size_t i = 0; is_map() && i < size(); ++i) {
    if (this->key(i).text() == key) return this->key(i);
  }
  return Node{};
}

Place Node::place() const {
  if (data_ == nullptr || data_->file == nullptr) return Place{};
  return Place{data_->file->shared_from_this(), data_->line, data_->column};
}

std::string Node::describe() const {
  switch (kind()) {
    case NodeKind::kNull: return "nothing";
    case NodeKind::kSequence: return "a list";
    case NodeKind::kMap: return "a map";
    case NodeKind::kScalar: break;
  }
  constexpr std::size_t kShown = 60;
  std::string shown(text().substr(0, kShown));
  // Not half a character at the cut.
  if (text().size() > kShown) {
    while (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0xC0u) == 0x80u) shown.pop_back();
    if (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0x80u) != 0) shown.pop_back();
    shown += "...";
  }
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (is_plain() && looks_like_bool(text())) return shown;
  if (is_plain() && !is_string()) return "the number " + shown;
  return "'" + shown + "'";
}

// ---- Diagnostics at nodes -------------------------------------------------------------------------------------------

Diagnostic& Diagnostics::error(const Node& at, std::string message) { return error(at.place(), std::move(message)); }
Diagnostic& Diagnostics::warning(const Node& at, std::string message) { return warning(at.place(), std::move(message)); }

// ---- Loading --------------------------------------------------------------------------------------------------------

namespace {

/// The first byte of what is no legal text; npos when all is well.
std::size_t first_illegal_byte(std::string_view text, std::string& why) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  while (i < text.size()) {
    // Eight plain ASCII bytes at a time: high bit clear and none below 0x20.
    if (i + 8 <= text.size()) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + i, 8);
      constexpr std::uint64_t kHigh = 0x8080808080808080ull;
      constexpr std::uint64_t kOnes = 0x0101010101010101ull;
      if ((word & kHigh) == 0 && ((word - kOnes * 0x20) & ~word & kHigh) == 0) {
        i += 8;
        continue;
      }
    }
    const unsigned c = byte(i);
    if (c < 0x80) {
      if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
        why = c == 0 ? "a NUL byte" : fmt::format("the control character 0x{:02x}", c);
        return i;
      }
      ++i;
      continue;
    }
    const unsigned next = byte(i + 1);
    std::size_t length = 0;
    if (c >= 0xC2 && c <= 0xDF) {
      length = 2;
    } else if ((c == 0xE0 && next >= 0xA0) || (c >= 0xE1 && c <= 0xEC) || (c == 0xED && next <= 0x9F) || c == 0xEE || c == 0xEF) {
      length = 3;
    } else if ((c == 0xF0 && next >= 0x90) || (c >= 0xF1 && c <= 0xF3) || (c == 0xF4 && next <= 0x8F)) {
      length = 4;
    }
    bool good = length != 0;
    for (std::size_t k = 1; good && k < length; ++k) good = (byte(i + k) & 0xC0u) == 0x80u;
    if (!good) {
      why = "no valid UTF-8";
      return i;
    }
    i += length;
  }
  return std::string_view::npos;
}

struct Chunk {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t line = 1;
};

/// Cuts at the lines that begin with "---": YAML forbids them inside of every scalar, so each part can be parsed alone.
/// With directives ("%YAML") in the file it stays whole: they belong to the document after them.
std::vector<Chunk> split(const SourceFile& file) {
  const std::string_view text = file.text();
  std::vector<Chunk> chunks;
  Chunk chunk;
  if (text.starts_with("\xEF\xBB\xBF")) chunk.begin = 3;
  const auto size = static_cast<std::uint32_t>(text.size());
  for (std::uint32_t number = 1; number <= file.line_count(); ++number) {
    const std::uint32_t at = file.line_begin(number);
    if (at >= size) break;
    if (text[at] == '%') return {Chunk{text.starts_with("\xEF\xBB\xBF") ? 3u : 0u, size, 1}};
    if (text[at] != '-' || text.compare(at, 3, "---") != 0) continue;
    if (at + 3 < size && text[at + 3] != ' ' && text[at + 3] != '\t' && text[at + 3] != '\n' && text[at + 3] != '\r') continue;
    if (at > chunk.begin) {
      chunk.end = at;
      chunks.push_back(chunk);
    }
    chunk.begin = at;
    chunk.line = number;
  }
  chunk.end = size;
  if (chunk.end > chunk.begin) chunks.push_back(chunk);
  return chunks;
}

/// Parts of the file that one worker parses into one arena.
struct Batch {
  std::size_t first = 0;
  std::size_t last = 0;  // one past
  std::shared_ptr<detail::Arena> arena = std::make_shared<detail::Arena>();
  Diagnostics diagnostics;
  std::vector<const detail::NodeData*> roots;
};

void parse_batches(const SourceFile& file, const std::vector<Chunk>& chunks, std::vector<Batch>& batches) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < batches.size(); i = next++) {
      Batch& batch = batches[i];
      detail::BlockParser block(file, *batch.arena);
      for (std::size_t c = batch.first; c < batch.last; ++c) {
        const detail::NodeData* root = nullptr;
        if (block.parse(chunks[c].begin, chunks[c].end, chunks[c].line, root)) {
          if (root != nullptr) batch.roots.push_back(root);
          continue;
        }
        detail::parse_yaml(file, chunks[c].begin, chunks[c].end, chunks[c].line, *batch.arena, batch.diagnostics, batch.roots);
      }
    }
  };
  const std::size_t wanted = std::min<std::size_t>(batches.size(), std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> helpers;
  for (std::size_t i = 1; i < wanted; ++i) {
    try {
      helpers.emplace_back(work);
    } catch (const std::system_error&) {
      break;  // no more threads to be had: fewer do the same work
    }
  }
  work();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace

std::shared_ptr<const Document> load_text(std::string name, std::string text, Diagnostics& diagnostics) {
  auto document = std::make_shared<Document>();
  const auto file = std::make_shared<const SourceFile>(std::move(name), std::move(text));
  document->file_ = file;
  if (file->text().size() > kFileSizeLimit) {
    diagnostics.error_in(file->name(), fmt::format("the file is larger than {} MiB", kFileSizeLimit >> 20)).hint = "objects may stand in several files: split it";
    return document;
  }
  // What Windows' editors call "Unicode".
  const bool is_utf16 = file->text().starts_with("\xFF\xFE") || file->text().starts_with("\xFE\xFF");
  std::string why;
  if (const std::size_t bad = first_illegal_byte(file->text(), why); bad != std::string_view::npos) {
    const std::string_view before = file->text().substr(0, bad);
    const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const std::size_t begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    Diagnostic& d = diagnostics.error(Place{file, line, static_cast<std::uint32_t>(bad - begin) + 1}, "not a text file: " + why);
    d.expected = "text in UTF-8";
    if (is_utf16) d.hint = "it looks like UTF-16: iconv -f UTF-16 -t UTF-8";
    return document;
  }

  if (file->name().ends_with(".json")) {
    auto arena = std::make_shared<detail::Arena>();
    std::vector<const detail::NodeData*> roots;
    detail::parse_json(*file, *arena, diagnostics, roots);
    for (const detail::NodeData* root : roots) document->roots_.emplace_back(root);
    document->arenas_.push_back(std::move(arena));
    return document;
  }
  const std::size_t first = file->text().find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && file->text()[first] == '{') {
    // Most likely JSON (kubectl get -o json), which is read many times faster as such. If it is YAML's flow style after all, what
    // the JSON parser says is dropped.
    auto arena = std::make_shared<detail::Arena>();
    Diagnostics tried;
    std::vector<const detail::NodeData*> roots;
    detail::parse_json(*file, *arena, tried, roots);
    if (tried.empty()) {
      for (const detail::NodeData* root : roots) document->roots_.emplace_back(root);
      document->arenas_.push_back(std::move(arena));
      return document;
    }
  }

  const std::vector<Chunk> chunks = split(*file);
  std::vector<Batch> batches;
  constexpr std::uint32_t kBatchBytes = 128u << 10;
  for (std::size_t c = 0; c < chunks.size();) {
    Batch batch;
    batch.first = c;
    while (c < chunks.size() && (c == batch.first || chunks[c].end - chunks[batch.first].begin <= kBatchBytes)) ++c;
    batch.last = c;
    batches.push_back(std::move(batch));
  }
  parse_batches(*file, chunks, batches);
  for (Batch& batch : batches) {
    for (const detail::NodeData* root : batch.roots) document->roots_.emplace_back(root);
    document->arenas_.push_back(std::move(batch.arena));
    diagnostics.append(std::move(batch.diagnostics));
  }
  return document;
}

namespace {

/// Eight bytes at a time: dumps of clusters are tens of megabytes.
std::uint64_t digest(std::string_view text) {
  std::uint64_t hash = 0x9e3779b97f4a7c15ull ^ text.size();
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0xbf58476d1ce4e5b9ull;
    hash ^= hash >> 29;
  };
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i) word |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    mix(word);
  }
  for (; at < text.size(); ++at) mix(static_cast<unsigned char>(text[at]));
  return hash;
}

}  // namespace

std::shared_ptr<const Document> load_file(const std::string& path, Diagnostics& diagnostics) {
  const bool is_standard_input = path == "-";
  std::FILE* stream = is_standard_input ? stdin : std::fopen(path.c_str(), "rb");
  if (stream == nullptr) {
    diagnostics.error_in(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
    return nullptr;
  }
  std::string text;
  std::size_t used = 0;
  if (std::fseek(stream, 0, SEEK_END) == 0) {
    const long size = std::ftell(stream);
    if (size > 0 && static_cast<std::size_t>(size) <= kFileSizeLimit) text.reserve(static_cast<std::size_t>(size) + 1);
    std::fseek(stream, 0, SEEK_SET);
  }
  constexpr std::size_t kPiece = 256u << 10;
  while (used <= kFileSizeLimit) {
    text.resize(std::max(used + 1, std::min(text.capacity(), used + kPiece)));
    const std::size_t got = std::fread(text.data() + used, 1, text.size() - used, stream);
    used += got;
    if (got == 0) break;
    if (used == text.capacity()) text.reserve(used + kPiece);
  }
  text.resize(used);
  const bool failed = std::ferror(stream) != 0;
  const int error = errno;
  if (!is_standard_input) std::fclose(stream);
  if (failed) {
    diagnostics.error_in(path, fmt::format("cannot be read: {}", std::strerror(error)));
    return nullptr;
  }
  diagnostics.note_input(digest(text));
  return load_text(is_standard_input ? "stdin" : path, std::move(text), diagnostics);
}

// ---- TreeEditor -----------------------------------------------------------------------------------------------------

TreeEditor::TreeEditor() : arena_(std::make_shared<detail::Arena>()) {}

void TreeEditor::keep(std::shared_ptr<const Document> document) { arena_->keep(std::move(document)); }

std::shared_ptr<const Document> TreeEditor::finish(Node root) {
  auto document = std::make_shared<Document>();
  document->arenas_.push_back(arena_);
  if (root) {
    document->roots_.push_back(root);
    if (root.file() != nullptr) document->file_ = root.file()->shared_from_this();
  }
  return document;
}

Node TreeEditor::make_map(const Node& like, const std::vector<detail::NodeEntry>& entries) {
  auto* node = new (arena_->allocate<detail::NodeData>(1)) detail::NodeData(like.data() == nullptr ? kNoData : *like.data());
  node->kind = NodeKind::kMap;
  node->size = static_cast<std::uint32_t>(entries.size());
  auto* place = arena_->allocate<detail::NodeEntry>(entries.size());
  std::copy(entries.begin(), entries.end(), place);
  node->entries = place;
  return Node(node);
}

Node TreeEditor::merge_patch(Node base, Node patch) {
  if (!patch.is_map()) return patch;
  std::unordered_map<std::string_view, std::size_t> changes;  // look-up only
  for (std::size_t i = 0; i < patch.size(); ++i) changes.emplace(patch.key(i).text(), i);
  std::vector<bool> used(patch.size(), false);
  std::vector<detail::NodeEntry> entries;
  if (base.is_map()) {
    for (std::size_t i = 0; i < base.size(); ++i) {
      const Node key = base.key(i);
      const auto found = changes.find(key.text());
      if (found == changes.end()) {
        entries.push_back(detail::NodeEntry{key.data(), base.value(i).data()});
        continue;
      }
      used[found->second] = true;
      const Node change = patch.value(found->second);
      if (change.is_null()) continue;
      entries.push_back(detail::NodeEntry{patch.key(found->second).data(), merge_patch(base.value(i), change).data()});
    }
  }
  for (std::size_t i = 0; i < patch.size(); ++i) {
    if (patch.value(i).is_null() || used[i]) continue;
    entries.push_back(detail::NodeEntry{patch.key(i).data(), merge_patch(Node{}, patch.value(i)).data()});
  }
  return make_map(patch, entries);
}

bool split_path(std::string_view path, std::vector<std::string>& steps) {
  constexpr std::size_t kStepsMax = 100;  // the deepest scenario has some ten levels
  std::string step;
  bool have = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (steps.size() > kStepsMax) return false;
    const char c = path[i];
    if (c == '\\' && i + 1 < path.size()) {
      step += path[++i];
      have = true;
    } else if (c == '.' || c == '[') {
      if (have) steps.push_back(std::exchange(step, {}));
      else if (c == '.' && (steps.empty() || steps.back().front() != '[')) return false;
      have = false;
      if (c == '[') {
        const std::size_t end = path.find(']', i);
        if (end == std::string_view::npos || end == i + 1) return false;
        steps.emplace_back(path.substr(i, end - i + 1));
        i = end;
      }
    } else {
      step += c;
      have = true;
    }
  }
  if (have) steps.push_back(step);
  return !steps.empty() && (have || path.back() == ']');
}

Node TreeEditor::set_step(Node node, const std::vector<std::string>& path, std::size_t depth, Node value, std::string& error) {
  if (depth == path.size()) return value;
  const std::string& step = path[depth];
  if (node.is_sequence()) {
    std::size_t index = node.size();
    if (step.front() == '[') {
      std::size_t number = 0;
      const auto [end, code] = std::from_chars(step.data() + 1, step.data() + step.size() - 1, number);
      if (code == std::errc{} && end == step.data() + step.size() - 1) index = number;
    } else {
      for (std::size_t i = 0; i < node.size(); ++i) {
        if (node.item(i).find("name").text() == step) index = i;
      }
    }
    if (index >= node.size()) {
      error = fmt::format("the list has no entry {}", step);
      return Node{};
    }
    const Node changed = set_step(node.item(index), path, depth + 1, value, error);
    if (!changed) return Node{};
    auto* copy = new (arena_->allocate<detail::NodeData>(1)) detail::NodeData(*node.data());
    auto** items = arena_->allocate<const detail::NodeData*>(node.size());
    std::copy(node.data()->items, node.data()->items + node.size(), items);
    items[index] = changed.data();
    copy->items = items;
    return Node(copy);
  }
  if (step.front() == '[') {
    error = fmt::format("{} is no list", node.describe());
    return Node{};
  }
  if (!node.is_null() && !node.is_map()) {
    error = fmt::format("{} has no keys", node.describe());
    return Node{};
  }
  const Node changed = set_step(node.find(step), path, depth + 1, value, error);
  if (!changed) return Node{};
  std::vector<detail::NodeEntry> entries;
  bool found = false;
  for (std::size_t i = 0; i < node.size(); ++i) {
    const bool is_it = node.key(i).text() == step;
    found = found || is_it;
    entries.push_back(detail::NodeEntry{node.key(i).data(), is_it ? changed.data() : node.value(i).data()});
  }
  if (!found) {
    auto* key = new (arena_->allocate<detail::NodeData>(1)) detail::NodeData(*value.data());
    key->kind = NodeKind::kScalar;
    key->plain = false;
    key->size = static_cast<std::uint32_t>(step.size());
    key->text = arena_->copy(step);
    entries.push_back(detail::NodeEntry{key, changed.data()});
  }
  return make_map(node.is_map() ? node : value, entries);
}

Node TreeEditor::set_path(Node root, std::string_view path, Node value, std::string& error) {
  std::vector<std::string> steps;
  if (!split_path(path, steps)) {
    constexpr std::size_t kShown = 60;
    error = fmt::format("'{}{}' is no path such as pools.workers.count", path.substr(0, kShown), path.size() > kShown ? "..." : "");
    return Node{};
  }
  return set_step(root, steps, 0, value, error);
}

// ---- Ranges ---------------------------------------------------------------------------------------------------------

namespace {

/// One past the bracket that closes the one at `begin`.
std::size_t flow_end(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (c == '\'' && (text[i - 1] == ' ' || text[i - 1] == ',' || text[i - 1] == ':' || text[i - 1] == '[' || text[i - 1] == '{')) {
      i = std::min(text.find('\'', i + 1), text.size());
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return text.size();
}

}  // namespace

SourceRange source_range(const Node& node) {
  SourceRange range;
  if (!node || node.file() == nullptr) return range;
  const std::string_view text = node.file()->text();
  range.begin = node.data()->begin;
  range.column = node.column();
  const auto begin = static_cast<std::size_t>(range.begin);
  if (begin < text.size() && (text[begin] == '{' || text[begin] == '[')) {
    range.end = static_cast<std::uint32_t>(flow_end(text, begin));
    return range;
  }
  const std::size_t indent = node.column() - 1;
  std::size_t end = text.find('\n', begin);
  std::size_t line = end == std::string_view::npos ? text.size() : end + 1;
  std::size_t last = line;  // blank lines and comments at the end belong to what follows
  while (line < text.size()) {
    const std::size_t next = text.find('\n', line) == std::string_view::npos ? text.size() : text.find('\n', line) + 1;
    const std::size_t content = text.find_first_not_of(' ', line);
    const bool blank = content >= next || text[content] == '\n' || text[content] == '\r';
    if (!blank) {
      const std::size_t depth = content - line;
      if (depth < indent) break;
      if (depth == 0 && (text.compare(line, 3, "---") == 0 || text.compare(line, 3, "...") == 0)) break;
    }
    line = next;
    if (!blank) last = line;
  }
  range.end = static_cast<std::uint32_t>(last);
  return range;
}

}  // namespace sim::scenario
