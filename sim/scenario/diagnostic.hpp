/// What is wrong with the user's input: where, what is there, what was expected, the nearest right word. All errors of a
/// run are collected and told together.
///
/// Checked by: tests/scenario/diagnostic_test.cpp.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sim::scenario {

class Node;

/// The text of one input file, kept while anything refers to it.
class SourceFile : public std::enable_shared_from_this<SourceFile> {
 public:
  SourceFile(std::string name, std::string text);
  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }
  std::uint32_t line_count() const { return static_cast<std::uint32_t>(line_begin_.size()); }
  /// Line `number`, counted from 1, without its end; empty when there is none.
  std::string_view line(std::uint32_t number) const;
  /// Offset of the first byte of a line (counted from 1).
  std::uint32_t line_begin(std::uint32_t number) const { return line_begin_[number - 1]; }

 private:
  std::string name_;
  std::string text_;
  std::vector<std::uint32_t> line_begin_;
};

/// A place in a file; both numbers count from 1. line 0: the whole file, or no file at all.
struct Place {
  std::shared_ptr<const SourceFile> file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  /// "scenario.yaml:7:5"
  std::string to_string() const;
};

enum class Severity : std::uint8_t { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  std::uint32_t line = 0;    // 0: the file as a whole
  std::uint32_t column = 0;
  std::string message;       // "unknown key 'durration' in fault 'disk-slow'"
  std::string found;         // "the number 30"
  std::string expected;      // "a duration such as 30s"
  std::string hint;          // "did you mean 'duration'?"
  std::string source_line;
};

/// All that was found wrong. Keeps the first 10,000 and counts the rest, so that a broken dump of a large cluster does not fill the memory.
class Diagnostics {
 public:
  /// Adds an error at a value (or key) of a document. The reference is valid until the next call: set found, expected, hint.
  Diagnostic& error(const Node& at, std::string message);
  Diagnostic& error(const Place& at, std::string message);
  /// One that belongs to no line: a file that cannot be read, a flag. `file` may be empty.
  Diagnostic& error_in(std::string file, std::string message);
  Diagnostic& warning(const Node& at, std::string message);
  Diagnostic& warning(const Place& at, std::string message);
  Diagnostic& warning_in(std::string file, std::string message);
  Diagnostic& add(Diagnostic diagnostic);
  /// Takes over what another collector found (of one worker thread), in its order.
  void append(Diagnostics&& other);

  bool has_errors() const { return errors_ > 0; }
  std::size_t error_count() const { return errors_; }
  std::size_t warning_count() const { return warnings_; }
  bool empty() const { return errors_ + warnings_ == 0; }
  /// One number for the texts of all files that were read, in whatever order: equal inputs have equal ones.
  std::uint64_t inputs() const { return inputs_; }
  void note_input(std::uint64_t digest) { inputs_ += digest; }
  /// By file, line and column; equal places in the order in which they were found.
  std::vector<Diagnostic> sorted() const;
  /// As text, at most `limit` of them and "and N more".
  std::string format(std::size_t limit = 100) const;
  void print(std::FILE* to, std::size_t limit = 100) const;

 private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
  std::uint64_t inputs_ = 0;
  Diagnostic dropped_;
};

/// One diagnostic as people read it: "file:line:column: error: ...", the source line with a caret, expected, hint.
std::string format(const Diagnostic& diagnostic);

/// The candidate nearest to `word` (Damerau-Levenshtein without regard to case, at most a third of its length away),
/// otherwise the shortest that begins with it, or with which it begins; empty when none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
/// "did you mean 'duration'?", or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace sim::scenario
