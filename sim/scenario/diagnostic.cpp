#include "sim/scenario/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "sim/scenario/printable.hpp"

namespace sim::scenario {

namespace {

constexpr std::size_t kKept = 10'000;
// A longer line is shown around the place only: a JSON dump is one line of megabytes.
constexpr std::size_t kShownWidth = 160;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours count 1.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string printable(std::string text, LineBreaks breaks) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned c = byte(i);
    std::size_t length = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0u) != 0x80u) length = 0;
    }
    const bool is_kept = c == '\t' || (c == '\n' && breaks == LineBreaks::kKept);
    const bool is_control = (c < 0x20 && !is_kept) || c == 0x7f || (c == 0xC2 && byte(i + 1) < 0xA0);
    const bool is_no_character = c == 0xEF && byte(i + 1) == 0xBF && byte(i + 2) >= 0xBE;
    if (length == 0 || is_control || is_no_character) {
      length = std::max<std::size_t>(length, 1);
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(i), length, '?');
    }
    i += length;
  }
  return text;
}

SourceFile::SourceFile(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  line_begin_.push_back(0);
  for (std::size_t at = text_.find('\n'); at != std::string::npos; at = text_.find('\n', at + 1)) {
    line_begin_.push_back(static_cast<std::uint32_t>(at + 1));
  }
}

std::string_view SourceFile::line(std::uint32_t number) const {
  if (number == 0 || number > line_begin_.size()) return {};
  const std::size_t begin = line_begin_[number - 1];
  std::size_t end = number < line_begin_.size() ? line_begin_[number] - 1 : text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

std::string Place::to_string() const {
  if (!file) return {};
  return line == 0 ? file->name() : fmt::format("{}:{}:{}", file->name(), line, column);
}

Diagnostic& Diagnostics::add(Diagnostic diagnostic) {
  ++(diagnostic.severity == Severity::kError ? errors_ : warnings_);
  if (all_.size() >= kKept) {
    dropped_ = std::move(diagnostic);
    return dropped_;
  }
  all_.push_back(std::move(diagnostic));
  return all_.back();
}

Diagnostic& Diagnostics::error(const Place& at, std::string message) {
  Diagnostic diagnostic;
  if (at.file) {
    diagnostic.file = at.file->name();
    diagnostic.source_line = at.file->line(at.line);
  }
  diagnostic.line = at.line;
  diagnostic.column = at.column;
  diagnostic.message = std::move(message);
  return add(std::move(diagnostic));
}

Diagnostic& Diagnostics::warning(const Place& at, std::string message) {
  Diagnostic diagnostic;
  diagnostic.severity = Severity::kWarning;
  if (at.file) {
    diagnostic.file = at.file->name();
    diagnostic.source_line = at.file->line(at.line);
  }
  diagnostic.line = at.line;
  diagnostic.column = at.column;
  diagnostic.message = std::move(message);
  return add(std::move(diagnostic));
}

Diagnostic& Diagnostics::error_in(std::string file, std::string message) {
  Diagnostic diagnostic;
  diagnostic.file = std::move(file);
  diagnostic.message = std::move(message);
  return add(std::move(diagnostic));
}

Diagnostic& Diagnostics::warning_in(std::string file, std::string message) {
  Diagnostic diagnostic;
  diagnostic.severity = Severity::kWarning;
  diagnostic.file = std::move(file);
  diagnostic.message = std::move(message);
  return add(std::move(diagnostic));
}

void Diagnostics::append(Diagnostics&& other) {
  const std::size_t lost_errors = other.errors_;
  const std::size_t lost_warnings = other.warnings_;
  std::size_t errors = 0;
  for (Diagnostic& diagnostic : other.all_) {
    errors += diagnostic.severity == Severity::kError ? 1 : 0;
    add(std::move(diagnostic));
  }
  errors_ += lost_errors - errors;
  warnings_ += lost_warnings - (other.all_.size() - errors);
  inputs_ += other.inputs_;
  other = Diagnostics{};
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> result = all_;
  std::stable_sort(result.begin(), result.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  return result;
}

std::string Diagnostics::format(std::size_t limit) const {
  std::string text;
  const std::vector<Diagnostic> all = sorted();
  for (std::size_t i = 0; i < all.size() && i < limit; ++i) text += scenario::format(all[i]);
  const std::size_t total = errors_ + warnings_;
  const std::size_t shown = std::min(all.size(), limit);
  if (total > shown) text += fmt::format("and {} more\n", total - shown);
  return text;
}

void Diagnostics::print(std::FILE* to, std::size_t limit) const {
  const std::string text = format(limit);
  std::fwrite(text.data(), 1, text.size(), to);
}

std::string format(const Diagnostic& d) {
  std::string text;
  if (!d.file.empty()) {
    text += printable(d.file);
    if (d.line != 0) text += fmt::format(":{}:{}", d.line, d.column);
    text += ": ";
  }
  text += d.severity == Severity::kError ? "error: " : "warning: ";
  text += printable(d.message, LineBreaks::kKept);
  text += '\n';
  if (d.line != 0 && !d.source_line.empty()) {
    std::size_t begin = 0;
    const std::size_t at = d.column == 0 ? 0 : d.column - 1;
    if (d.source_line.size() > kShownWidth && at > kShownWidth / 2) begin = at - kShownWidth / 2;
    // Not in the middle of a character of several bytes.
    while (begin > 0 && begin < d.source_line.size() && (static_cast<unsigned char>(d.source_line[begin]) & 0xC0u) == 0x80u) --begin;
    std::string shown = d.source_line.substr(std::min(begin, d.source_line.size()), kShownWidth);
    std::string pad;
    for (std::size_t i = 0; begin + i < at && i < shown.size(); ++i) {
      if ((static_cast<unsigned char>(shown[i]) & 0xC0u) == 0x80u) continue;
      pad += shown[i] == '\t' ? '\t' : ' ';
    }
    shown = printable(std::move(shown));
    text += fmt::format("{:5} | {}\n      | {}^\n", d.line, shown, pad);
  }
  if (!d.expected.empty() && !d.found.empty()) {
    text += fmt::format("  expected {}, found {}\n", printable(d.expected), printable(d.found));
  } else if (!d.expected.empty()) {
    text += fmt::format("  expected {}\n", printable(d.expected));
  } else if (!d.found.empty()) {
    text += fmt::format("  found {}\n", printable(d.found));
  }
  if (!d.hint.empty()) text += fmt::format("  {}\n", d.hint);
  return text;
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  // Long garbage is near to nothing; the bound keeps the table small.
  if (word.empty() || word.size() > 100) return {};
  const std::string* best = nullptr;
  const auto common_prefix = [&](const std::string& candidate) {
    std::size_t length = 0;
    while (length < std::min(word.size(), candidate.size()) && lower(word[length]) == lower(candidate[length])) ++length;
    return length;
  };
  std::size_t best_distance = word.size() == 1 ? 1 : std::max<std::size_t>(1, word.size() / 3) + 1;  // one letter is near to every other
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 200) continue;
    const std::size_t d = distance(word, candidate);
    // Of two that are as near, the one that begins alike: 'kin' is 'kind' cut short rather than 'in'.
    if (d < best_distance || (best != nullptr && d == best_distance && common_prefix(candidate) > common_prefix(*best))) {
      best_distance = d;
      best = &candidate;
    }
  }
  if (best != nullptr) return *best;
  // Far away by letters, but one begins with the other: 'avail' is 'availability' cut short, 'durationSeconds' is 'duration' with too much.
  constexpr std::size_t kBeginning = 3;
  for (const std::string& candidate : candidates) {
    const std::size_t common = common_prefix(candidate);
    if (common < kBeginning || common < std::min(word.size(), candidate.size())) continue;
    if (best == nullptr || candidate.size() < best->size()) best = &candidate;
  }
  return best == nullptr ? std::string{} : *best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? std::string{} : fmt::format("did you mean '{}'?", best);
}

}  // namespace sim::scenario
