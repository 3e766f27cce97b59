#include "sim/scenario/diagnostic.hpp"

#include <gtest/gtest.h>

#include "sim/scenario/document.hpp"
#include "sim/scenario/printable.hpp"

namespace sim::scenario {
namespace {

TEST(Nearest, IsTheWordOfTheLeastEdits) {
  const std::vector<std::string> words = {"at", "duration", "factor", "kind", "target"};
  struct Case {
    std::string_view word;
    std::string_view want;
  };
  for (const Case& c : {Case{"durration", "duration"}, Case{"duratoin", "duration"}, Case{"Duration", "duration"}, Case{"tarjet", "target"},
                        Case{"kidn", "kind"}, Case{"kin", "kind"}, Case{"in", ""}, Case{"zzzzzz", ""}, Case{"", ""}, Case{"x", ""},
                        Case{"dur", "duration"}, Case{"durationSeconds", "duration"}, Case{"du", ""}, Case{"targetsOfAll", "target"}}) {
    EXPECT_EQ(nearest(c.word, words), c.want) << c.word;
  }
  EXPECT_EQ(did_you_mean("durration", words), "did you mean 'duration'?");
  EXPECT_EQ(did_you_mean("zzzzzz", words), "");
}

TEST(Diagnostics, ShowTheLineWithACaretAndWhatWasExpected) {
  Diagnostics diagnostics;
  const auto document = load_text("osd_loss.yaml", "faults:\n  slow:\n    durration: 30s\n", diagnostics);
  ASSERT_TRUE(diagnostics.empty());
  Diagnostic& d = diagnostics.error(document->root().find("faults").find("slow").find_key("durration"), "unknown key 'durration' in fault 'slow'");
  d.expected = "one of: at, duration";
  d.hint = "did you mean 'duration'?";
  EXPECT_EQ(diagnostics.format(),
            "osd_loss.yaml:3:5: error: unknown key 'durration' in fault 'slow'\n"
            "    3 |     durration: 30s\n"
            "      |     ^\n"
            "  expected one of: at, duration\n"
            "  did you mean 'duration'?\n");
}

TEST(Diagnostics, TheCaretCountsCharactersNotBytes) {
  Diagnostics diagnostics;
  const auto document = load_text("f.yaml", "\u00e4\u00f6: {x: 1}\n", diagnostics);
  diagnostics.error(document->root().value(0), "here");
  EXPECT_EQ(diagnostics.format(), "f.yaml:1:7: error: here\n    1 | \u00e4\u00f6: {x: 1}\n      |     ^\n");
}

TEST(Diagnostics, TheLineTellsTheTerminalNothing) {
  Diagnostics diagnostics;
  load_text("f.yaml", "a: \x1b[31mred\xff\n", diagnostics);
  EXPECT_EQ(diagnostics.format(),
            "f.yaml:1:4: error: not a text file: the control character 0x1b\n    1 | a: ?[31mred?\n      |    ^\n  expected text in UTF-8\n");
  Diagnostics utf16;
  load_text("f.yaml", std::string("\xff\xfe" "a\0", 4), utf16);
  EXPECT_NE(utf16.format().find("it looks like UTF-16"), std::string::npos) << utf16.format();
}

TEST(Printable, KeepsWhatEveryOutputCanShow) {
  EXPECT_EQ(printable("a\tb\u00e4\U0001F600"), "a\tb\u00e4\U0001F600");
  EXPECT_EQ(printable("a\x1b[31m\x7f\nb"), "a?[31m??b");
  EXPECT_EQ(printable("a\nb", LineBreaks::kKept), "a\nb");
  EXPECT_EQ(printable("\xc2\x9b" "31m \xef\xbf\xbe \xff\xe2\x82"), "??31m ??? ???");
}

TEST(Diagnostics, AVeryLongLineIsCutAroundThePlace) {
  Diagnostics diagnostics;
  const auto document = load_text("f.yaml", "{a: \"" + std::string(5000, 'x') + "\", b: 3}", diagnostics);
  diagnostics.error(document->root().find("b"), "here");
  const std::string text = diagnostics.format();
  EXPECT_LT(text.size(), 500u);
  EXPECT_NE(text.find("b: 3}"), std::string::npos) << text;
}

TEST(Diagnostics, AreSortedByPlaceAndBounded) {
  Diagnostics diagnostics;
  const auto file = std::make_shared<const SourceFile>("f.yaml", "a\nb\nc\n");
  diagnostics.error(Place{file, 3, 1}, "third");
  diagnostics.error(Place{file, 1, 2}, "second");
  diagnostics.error(Place{file, 1, 1}, "first");
  diagnostics.warning_in("e.yaml", "zeroth");
  const std::vector<Diagnostic> sorted = diagnostics.sorted();
  ASSERT_EQ(sorted.size(), 4u);
  EXPECT_EQ(sorted[0].message, "zeroth");
  EXPECT_EQ(sorted[1].message, "first");
  EXPECT_EQ(sorted[2].message, "second");
  EXPECT_EQ(sorted[3].message, "third");
  EXPECT_EQ(diagnostics.error_count(), 3u);
  EXPECT_EQ(diagnostics.warning_count(), 1u);
  EXPECT_NE(diagnostics.format(2).find("and 2 more\n"), std::string::npos);

  Diagnostics many;
  for (int i = 0; i < 20'000; ++i) many.error(Place{file, 1, 1}, "again");
  EXPECT_EQ(many.error_count(), 20'000u);
  EXPECT_EQ(many.sorted().size(), 10'000u);
  Diagnostics sum;
  sum.append(std::move(many));
  EXPECT_EQ(sum.error_count(), 20'000u);
  EXPECT_NE(sum.format(5).find("and 19995 more\n"), std::string::npos);
}

TEST(SourceFile, LinesAreFoundWithAndWithoutTheirEnds) {
  const SourceFile file("f", "one\r\ntwo\n\nfour");
  EXPECT_EQ(file.line_count(), 4u);
  EXPECT_EQ(file.line(1), "one");
  EXPECT_EQ(file.line(2), "two");
  EXPECT_EQ(file.line(3), "");
  EXPECT_EQ(file.line(4), "four");
  EXPECT_EQ(file.line(0), "");
  EXPECT_EQ(file.line(5), "");
}

}  // namespace
}  // namespace sim::scenario
