// What is wrong in a text is told with its place; mangled texts neither crash nor pass for another map.
#include "golden.hpp"

namespace sim::ceph::crush {
namespace {

const std::string kSmall = R"(tunable choose_total_tries 50
device 0 osd.0 class hdd
device 1 osd.1 class ssd
type 0 osd
type 1 host
type 11 root
host a {
	id -2
	alg straw2
	item osd.0 weight 1.000
	item osd.1 weight 1.000
}
root default {
	id -1
	alg straw2
	item a weight 2.000
}
rule r {
	id 0
	type replicated
	min_size 1
	max_size 10
	step take default class hdd
	step chooseleaf firstn 0 type host
	step emit
}
)";

struct BadText {
  std::string_view from;
  std::string_view to;
  std::uint32_t line;
  std::uint32_t column;
  std::string_view message;
};
const BadText kBadTexts[] = {
    {"choose_total_tries", "choose_totl_tries", 1, 9, "unknown tunable 'choose_totl_tries'"},
    {"choose_total_tries 50", "choose_total_tries -5", 1, 28, "'-5' where a number was expected"},
    {"device 1 osd.1", "device 0 osd.1", 3, 8, "device 0 is defined twice: it is 'osd.0' already"},
    {"device 1 osd.1", "device 1 osd.0", 3, 10, "item 'osd.0' is defined twice"},
    {"device 1", "devise 1", 3, 1, "'devise' begins nothing that a CRUSH map has"},
    {"item osd.1", "item osd.7", 11, 7, "item 'osd.7' in bucket 'a' is not defined"},
    {"osd.1 weight 1.000", "osd.1 weight 101", 11, 20, "weight 101 is not between 0 and 100"},
    {"osd.1 weight 1.000", "osd.1 weight -1", 11, 20, "weight -1 is not between 0 and 100"},
    {"osd.1 weight 1.000", "osd.1 weight x", 11, 20, "'x' where a weight such as 1.819 was expected"},
    {"alg straw2\n\titem a", "alg straw3\n\titem a", 15, 6, "unknown bucket alg 'straw3'"},
    {"root default {\n\tid -1", "root default {\n\tid -2", 14, 5, "id -2 of bucket 'default' is taken by 'a'"},
    {"host a {", "hots a {", 7, 1, "bucket type 'hots' is not defined"},
    {"type host", "type hosts", 24, 32, "in rule 'r' type 'hosts' is not defined"},
    {"take default", "take defalt", 23, 12, "in rule 'r' item 'defalt' is not defined"},
    {"class hdd\n\tstep", "class nvme\n\tstep", 23, 26, "in rule 'r' device class 'nvme' is not defined"},
    {"step emit", "step omit", 25, 7, "'omit' is no step of a rule"},
    {"type replicated", "type msr_indep", 20, 7, "rules of type msr_indep (Ceph 19) are not supported"},
    {"id 0\n", "id 300\n", 19, 5, "id of a rule 300 is not between 0 and 255"},
    {"step emit\n}", "step emit\n", 27, 1, "the end of the text where '}' was expected at the end of rule 'r'"},
};

TEST(CrushText, EveryErrorHasItsPlace) {
  EXPECT_EQ(golden::map_of(kSmall).max_devices(), 2);
  for (const BadText& bad : kBadTexts) {
    SCOPED_TRACE(bad.to);
    std::string text = kSmall;
    ASSERT_NE(text.find(bad.from), std::string::npos);
    text.replace(text.find(bad.from), bad.from.size(), bad.to);
    std::vector<TextProblem> problems;
    EXPECT_FALSE(read_text_map(text, problems).has_value());
    // Users of what was refused may be told after it.
    ASSERT_GE(problems.size(), 1U);
    ASSERT_LE(problems.size(), 2U);
    EXPECT_EQ(problems[0].message, bad.message);
    EXPECT_EQ(problems[0].line, bad.line);
    EXPECT_EQ(problems[0].column, bad.column);
  }
}

TEST(CrushText, AllErrorsInOneGo) {
  std::string text = kSmall;
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"item osd.1", "item osd.7"}, {"type host\n\tstep", "type hosts\n\tstep"}}) {
    text.replace(text.find(from), from.size(), to);
  }
  std::vector<TextProblem> problems;
  EXPECT_FALSE(read_text_map(text, problems).has_value());
  EXPECT_EQ(problems.size(), 2U);
}

TEST(CrushText, ReefStyleIsReadAgain) {
  // Its weights are multiples of 1/65536 with 5 digits; others lose a bit each time that they are read.
  const CrushMap map = golden::map_of(golden::read(golden::part() / "01-3osd-3host.map.txt"));
  const std::string text = write_text_map(map, TextStyle::kReef);
  EXPECT_NE(text.find("item osd.0 weight 1.00000\n"), std::string::npos);
  EXPECT_EQ(text.find("min_size"), std::string::npos);
  EXPECT_EQ(write_text_map(golden::map_of(text), TextStyle::kReef), text);
}

/// Fuzz: bytes and lines of good maps are cut, doubled, swapped and replaced. A map that comes out survives another round.
TEST(CrushText, MangledTexts) {
  std::uint32_t state = 1;
  const auto draw = [&state](std::size_t below) {
    state = state * 1664525 + 1013904223;
    return static_cast<std::size_t>(state >> 8) % below;
  };
  const std::string words[] = {"{", "}", "[", "]", "-1", "0", "id", "class", "item", "weight", "step", "rule", "choose_args", "99999999999", "1e39", "\n", "#", "\xff"};
  int good = 0;
  int bad = 0;
  for (const char* name : {"01-3osd-3host", "05-30osd-class", "10-12osd-weight-set"}) {
    const std::string original = golden::read(golden::part() / (std::string(name) + ".map.txt"));
    for (int round = 0; round < 1500; ++round) {
      std::string text = original;
      for (std::size_t change = 0; change <= draw(3); ++change) {
        const std::size_t at = draw(text.size());
        const std::size_t size = std::min(draw(40), text.size() - at);
        const std::size_t how = draw(4);
        if (how == 0) text.erase(at, size);
        if (how == 1) text.insert(at, text.substr(draw(text.size()), size));
        if (how == 2) text.insert(at, " " + words[draw(std::size(words))] + " ");
        if (how == 3) text[at] = static_cast<char>(draw(256));
      }
      std::vector<TextProblem> problems;
      const auto map = read_text_map(text, problems);
      EXPECT_EQ(map.has_value(), problems.empty());
      (map ? good : bad) += 1;
      if (!map) continue;
      // Weights with more than 3 digits are not what they were after writing; what was written is read without problems.
      golden::map_of(write_text_map(*map));
    }
  }
  EXPECT_GT(good, 200);
  EXPECT_GT(bad, 1000);
}

}  // namespace
}  // namespace sim::ceph::crush
