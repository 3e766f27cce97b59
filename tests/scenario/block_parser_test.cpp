// The quick reader of block YAML against yaml-cpp: every text that it takes gives the same tree, with the same places.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "sim/scenario/document_parsers.hpp"

namespace sim::scenario {
namespace {

std::string shown(const detail::NodeData* data) {
  if (data == nullptr) return "nothing";
  const Node node(data);
  std::string text = fmt::format("@{}:{}+{} ", data->line, data->column, data->begin);
  for (std::size_t i = 0; i < node.size(); ++i) {
    text += node.is_map() ? fmt::format("{}={} ", shown(node.key(i).data()), shown(node.value(i).data())) : shown(node.item(i).data()) + ", ";
  }
  return fmt::format("{}{}{}{}", static_cast<int>(node.kind()), node.is_plain() ? "p" : "", text, node.text());
}

enum class Taken { kNo, kYes };

/// Reads one document both ways; says whether the quick way took it.
Taken compare(const std::string& text) {
  const auto file = std::make_shared<const SourceFile>("t.yaml", text);
  const auto size = static_cast<std::uint32_t>(text.size());
  detail::Arena quick_arena;
  const detail::NodeData* quick = nullptr;
  detail::BlockParser parser(*file, quick_arena);
  if (!parser.parse(0, size, 1, quick)) return Taken::kNo;
  detail::Arena arena;
  Diagnostics diagnostics;
  std::vector<const detail::NodeData*> roots;
  detail::parse_yaml(*file, 0, size, 1, arena, diagnostics, roots);
  EXPECT_TRUE(diagnostics.empty()) << text << "\n" << diagnostics.format();
  EXPECT_LE(roots.size(), 1u) << text;
  EXPECT_EQ(shown(quick), shown(roots.empty() ? nullptr : roots[0])) << text;
  return Taken::kYes;
}

TEST(BlockParser, TakesWhatProgramsWrite) {
  for (const char* text : {
           "apiVersion: v1\nkind: Node\nmetadata:\n  labels:\n    a.b/c: P100\n  name: n\nstatus:\n  allocatable:\n    cpu: 64000m\n    pods: '1001'\n",
           "---\na: 1\n", "a:\n- x\n- y: 1\n  z: 2\n- w:\n  - v\nb: {}\nc: []\n", "a:\n  - x\n  -   y: 1\n      z: 2\nb: \"q\"   # comment\n# end\n",
           "a: b, c [d] {e}\nf: -5\ng: .5\nh: null\ni: x~\nj:\nk: # nothing\n", "- a\n- b: c\n\n  d: e\n", "a:\n  b:\n    c:\nd: http://x/y:z#f\n",
           "", "# only a comment\n", "a: 'x # y'\nb: x #y\n",
       }) {
    SCOPED_TRACE(text);
    EXPECT_EQ(compare(text), Taken::kYes);
  }
}

TEST(BlockParser, LeavesTheRestToYamlCpp) {
  for (const char* text : {
           "a: b\n  c\n", "a: |\n  b\n", "a: &x b\n", "a: *x\n", "a: {b: c}\n", "a: b: c\n", "a: 'it''s'\n", "a: \"x\\n\"\n", "a: \"open\n", "a:\tb\n", "a: b\r\n",
           "a: \xC3\xA4\n", "a: 1\na: 2\n", " a: 1\nb: 2\n", "a:\n  b: 1\n c: 2\n", "- a\nb: c\n", "a: b\n- c\n", "? a\n: b\n", "a: b:\n", "<<: {}\n", "null: a\n", "a: 1\n...\n", "just text\n",
           "- - a\n", "-\n  a: 1\n", "--- a\n", "a: !!str 1\n", "a: @b\n", "a: - b\n", "%YAML 1.2\n",
       }) {
    SCOPED_TRACE(text);
    EXPECT_EQ(compare(text), Taken::kNo);
  }
}

TEST(BlockParser, AgreesOnRandomText) {
  // Lines of pieces that mean something, at indentations that often fit.
  const std::vector<std::string> pieces = {"a",  "b: ",  "c:",   "- ",  "-",  "'x'", "\"y\"", "{}", "[]",    "#",  " # z", ": ", " ",  "null", "~",   "1.5", "-3", "d/e.f",
                                           "g,", "h]",   "{",    "'",   "\"", "|",   ">",     "&i", "*i",    "!",  "%",    "---", "...", ".",   "k: v", "m: w n", "o:p", "q #r"};
  std::mt19937_64 random(7);
  int taken = 0;
  constexpr int kRounds = 60'000;
  for (int round = 0; round < kRounds; ++round) {
    std::string text;
    std::size_t indent = 0;
    for (std::uint64_t line = 0, lines = 1 + random() % 5; line < lines; ++line) {
      switch (random() % 4) {
        case 0: indent += 2; break;
        case 1: indent = indent >= 2 ? indent - 2 : 0; break;
        case 2: indent = random() % 8 == 0 ? random() % 5 : indent; break;
        default: break;
      }
      if (line == 0) indent = 0;
      text += std::string(indent, ' ');
      if (random() % 3 != 0) text += random() % 4 == 0 ? "- k: v" : fmt::format("k{}: {}", random() % 9, random() % 2 == 0 ? "v" : "");
      for (std::uint64_t piece = random() % 3; piece > 0; --piece) text += pieces[random() % pieces.size()];
      text += '\n';
    }
    if (random() % 10 == 0) text.pop_back();
    if (compare(text) == Taken::kYes) ++taken;
    if (testing::Test::HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(taken, kRounds / 50);
}

TEST(BlockParser, AgreesOnTheManifestsOfTheRepository) {
  namespace fs = std::filesystem;
  int taken = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SQUALL_SOURCE_DIR) / "scenarios")) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().string());
    std::ifstream file(entry.path());
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    for (std::size_t begin = 0; begin < all.size();) {
      const std::size_t next = all.find("\n---", begin);
      if (compare(all.substr(begin, next == std::string::npos ? next : next + 1 - begin)) == Taken::kYes) ++taken;
      begin = next == std::string::npos ? all.size() : next + 1;
    }
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace sim::scenario
