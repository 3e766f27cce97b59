#include "sim/scenario/fields.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace example {

using namespace sim;

enum class Colour { kRed, kBlue };
struct Part {
  std::string name;
  scenario::Place where;
  int count = 3;
  std::optional<double> share;
};
void describe(scenario::Fields<Part>& fields) {
  fields.title("A part.").add("count", &Part::count, 1, 5, "How many.").fraction("share", &Part::share, "Of the whole.");
}
struct Whole {
  bool flag = false;
  std::int64_t number = 7;
  std::uint64_t seed = 1;
  double ratio = 0.5;
  std::string text = "none";
  Colour colour = Colour::kBlue;
  SimDuration span{std::chrono::seconds(30)};
  std::int64_t memory = 1 << 20;
  std::int64_t cpu = 500;
  double rate = 1e9;
  double speed = 1e6;
  double share = 0.5;
  std::vector<std::string> words;
  std::vector<SimDuration> spans;
  std::map<std::string, std::string> labels;
  std::optional<int> maybe;
  Part part;
  std::vector<Part> list;
  std::vector<Part> parts;
  scenario::Node raw;
};
void describe(scenario::Fields<Whole>& fields) {
  fields.add("flag", &Whole::flag, "f")
      .add("number", &Whole::number, "n")
      .add("seed", &Whole::seed, "s")
      .add("ratio", &Whole::ratio, 0.0, 1.0, "r")
      .add("text", &Whole::text, "t")
      .choice("colour", &Whole::colour, {{"red", Colour::kRed}, {"blue", Colour::kBlue}}, "c")
      .add("span", &Whole::span, "s")
      .bytes("memory", &Whole::memory, "m")
      .cpu("cpu", &Whole::cpu, "c")
      .bits_per_second("rate", &Whole::rate, "r")
      .bytes_per_second("speed", &Whole::speed, "s")
      .fraction("share", &Whole::share, "s")
      .add("words", &Whole::words, "w")
      .add("spans", &Whole::spans, "s")
      .add("labels", &Whole::labels, "l")
      .add("maybe", &Whole::maybe, "m")
      .add("part", &Whole::part, "p")
      .add("list", &Whole::list, "l")
      .named("parts", &Whole::parts, "part", "p")
      .add("raw", &Whole::raw, "r")
      .rule([](const Whole& whole, scenario::Node node, scenario::Reader& reader) {
        if (whole.number == 13) reader.diagnostics.error(node.find("number"), "not thirteen");
      });
}

struct Animal {
  virtual ~Animal() = default;
  std::string name;
  std::string kind;
  scenario::Place where;
  SimDuration at{};
};
template <class T>
void describe_animal(scenario::Fields<T>& fields) {
  fields.add("at", &Animal::at, "When.").required();
}
struct Dog : Animal {
  int teeth = 42;
};
void describe(scenario::Fields<Dog>& fields) {
  describe_animal(fields);
  fields.add("teeth", &Dog::teeth, 0, 100, "How many.");
}
struct Bird : Animal {
  std::vector<std::string> songs;
};
void describe(scenario::Fields<Bird>& fields) {
  describe_animal(fields);
  fields.add("songs", &Bird::songs, "What it sings.");
}

}  // namespace example

namespace sim::scenario {
namespace {

using example::Whole;

struct Read {
  Whole value;
  std::vector<std::string> errors;  // "line:column message"
  std::string text;
  std::shared_ptr<const Document> document;  // keeps value.raw alive
};

Read read(const std::string& text) {
  Diagnostics diagnostics;
  const auto document = load_text("t.yaml", text, diagnostics);
  Reader reader{diagnostics};
  Read result;
  read_struct(document->root(), result.value, "the example", reader);
  for (const Diagnostic& d : diagnostics.sorted()) result.errors.push_back(fmt::format("{}:{} {}", d.line, d.column, d.message));
  result.text = diagnostics.format();
  result.document = document;
  return result;
}

TEST(Fields, ReadEveryType) {
  const Read r = read(
      "flag: true\nnumber: -3\nseed: 18446744073709551615\nratio: 0.25\ntext: hello\ncolour: red\nspan: 1h30m\nmemory: 16Gi\ncpu: 1.5\nrate: 10Gbit/s\n"
      "speed: 50Mi/s\nshare: 99.9%\nwords: [a, 'b']\nspans: [1s, 2d]\nlabels: {a: b, c: }\nmaybe: 4\npart: {count: 2, share: 0.5}\nlist: [{count: 1}, {}]\n"
      "parts:\n  x: {count: 4}\n  y:\nraw: {anything: [1]}\n");
  EXPECT_EQ(r.text, "");
  const Whole& w = r.value;
  EXPECT_TRUE(w.flag);
  EXPECT_EQ(w.number, -3);
  EXPECT_EQ(w.seed, UINT64_MAX);
  EXPECT_DOUBLE_EQ(w.ratio, 0.25);
  EXPECT_EQ(w.text, "hello");
  EXPECT_EQ(w.colour, example::Colour::kRed);
  EXPECT_EQ(w.span, std::chrono::minutes(90));
  EXPECT_EQ(w.memory, 16ll << 30);
  EXPECT_EQ(w.cpu, 1500);
  EXPECT_DOUBLE_EQ(w.rate, 1e10);
  EXPECT_DOUBLE_EQ(w.speed, 50.0 * 1048576);
  EXPECT_DOUBLE_EQ(w.share, 0.999);
  EXPECT_EQ(w.words, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(w.spans.size(), 2u);
  EXPECT_EQ(w.spans[1], std::chrono::hours(48));
  EXPECT_EQ(w.labels.at("a"), "b");
  EXPECT_EQ(w.labels.at("c"), "");
  EXPECT_EQ(w.maybe, 4);
  EXPECT_EQ(w.part.count, 2);
  EXPECT_DOUBLE_EQ(w.part.share.value(), 0.5);
  ASSERT_EQ(w.list.size(), 2u);
  EXPECT_EQ(w.list[1].count, 3);
  ASSERT_EQ(w.parts.size(), 2u);
  EXPECT_EQ(w.parts[0].name, "x");
  EXPECT_EQ(w.parts[0].count, 4);
  EXPECT_EQ(w.parts[1].name, "y");
  EXPECT_EQ(w.parts[1].where.line, 21u);
  EXPECT_TRUE(w.raw.find("anything").is_sequence());
}

TEST(Fields, NullAndAbsentLeaveTheDefault) {
  const Read r = read("number:\nspan: ~\ntext: null\nparts:\nlist: ~\n");
  EXPECT_EQ(r.text, "");
  EXPECT_EQ(r.value.number, 7);
  EXPECT_EQ(r.value.span, std::chrono::seconds(30));
  EXPECT_EQ(r.value.text, "none");
}

TEST(Fields, NamedEntriesMayBeAList) {
  const Read r = read("parts: [{name: x, count: 1}, {name: y}]\n");
  EXPECT_EQ(r.text, "");
  ASSERT_EQ(r.value.parts.size(), 2u);
  EXPECT_EQ(r.value.parts[1].name, "y");
  EXPECT_EQ(r.value.parts[1].where.column, 37u);
}

TEST(Fields, WrongValuesAreToldWithTheirPlace) {
  struct Case {
    const char* text;
    const char* error;
    const char* also;  // somewhere in the message
  };
  const Case cases[] = {
      {"flag: yes", "1:7 wrong type of value", "write true"},
      {"flag: 1", "1:7 wrong type of value", "true or false, found the number 1"},
      {"number: x", "1:9 wrong type of value", "expected an integer, found 'x'"},
      {"number: 1.5", "1:9 wrong type of value", "found the number 1.5"},
      {"number: '5'", "1:9 wrong type of value", "without quotes"},
      {"number: 010", "1:9 a number with a leading zero is octal to some readers and decimal to others", "0o"},
      {"number: [1]", "1:9 wrong type of value", "found a list"},
      {"number: 99999999999999999999", "1:9 value out of range", "an integer"},
      {"number: 13", "1:9 not thirteen", ""},
      {"seed: -1", "1:7 value out of range", ""},
      {"ratio: 1.5", "1:8 value out of range", "a number from 0 to 1"},
      {"ratio: .nan", "1:8 wrong type of value", ""},
      {"text: 5", "1:7 wrong type of value", "with quotes: \"5\""},
      {"text: [a]", "1:7 wrong type of value", "found a list"},
      {"colour: rde", "1:9 unknown word", "did you mean 'red'?"},
      {"span: 30", "1:7 a duration needs a unit", "did you mean '30s'?"},
      {"span: -1s", "1:7 value out of range", ""},
      {"span: soon", "1:7 wrong type of value", "a duration such as 30s"},
      {"memory: 100", "1:9 a size needs a unit", "512Mi"},
      {"memory: 100m", "1:9 wrong type of value", ""},
      {"memory: -1Gi", "1:9 value out of range", ""},
      {"memory: big", "1:9 wrong type of value", ""},
      {"cpu: -1", "1:6 value out of range", ""},
      {"cpu: fast", "1:6 wrong type of value", "500m"},
      {"rate: 100", "1:7 a rate needs a unit", ""},
      {"rate: 100MB/s", "1:7 wrong type of value", "10Gbit/s"},
      {"speed: 1Gbit/s", "1:8 wrong type of value", ""},
      {"share: 120%", "1:8 value out of range", ""},
      {"share: half", "1:8 wrong type of value", ""},
      {"words: a", "1:8 wrong type of value", "did you mean '[a]'?"},
      {"words: [a, 3]", "1:12 wrong type of value", ""},
      {"labels: {a: 3}", "1:13 wrong type of value", ""},
      {"labels: [a]", "1:9 wrong type of value", ""},
      {"part: 3", "1:7 wrong type of value", "a map for part"},
      {"part: {count: 9}", "1:15 value out of range", "an integer from 1 to 5"},
      {"part: {cuont: 2}", "1:8 unknown key 'cuont' in part", "did you mean 'count'?"},
      {"list: {count: 1}", "1:7 wrong type of value", ""},
      {"list: [3]", "1:8 wrong type of value", ""},
      {"parts: 3", "1:8 wrong type of value", "a map of parts by name"},
      {"parts: [{count: 1}]", "1:9 part needs the key 'name'", ""},
      {"parts: [{name: x}, {name: x}]", "1:27 there are two parts with the name 'x'", ""},
      {"parts: {x: {name: y}}", "1:19 the name of part 'x' is its key", ""},
      {"parts: {x: {kind: y}}", "1:13 unknown key 'kind' in part 'x'", ""},
      {"nubmer: 3", "1:1 unknown key 'nubmer' in the example", "did you mean 'number'?"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Read r = read(c.text);
    ASSERT_EQ(r.errors.size(), 1u) << r.text;
    EXPECT_EQ(r.errors[0], c.error);
    EXPECT_NE(r.text.find(c.also), std::string::npos) << r.text;
  }
}

TEST(Fields, EveryErrorIsToldAndTheRestIsRead) {
  const Read r = read("flag: 3\nnumber: 5\nspan: 30\npart: {count: 9, wrong: 1}\nwords: [1, a]\n");
  EXPECT_EQ(r.errors.size(), 5u) << r.text;
  EXPECT_EQ(r.value.number, 5);
}

TEST(Alternatives, AMisspeltKeyIsToldOnceAndNamed) {
  Alternatives<example::Animal> animals("animal");
  animals.add<example::Dog>("dog", "Barks.");
  Diagnostics diagnostics;
  const auto document = load_text("t.yaml", "idle: {kin: dog, at: 1s}\nlate: {kind: dog, att: 1s}\n", diagnostics);
  Reader reader{diagnostics};
  animals.read_section(document->root(), reader);
  ASSERT_EQ(diagnostics.error_count(), 2u) << diagnostics.format();
  EXPECT_EQ(diagnostics.sorted()[0].message, "animal 'idle' needs the key 'kind'");
  EXPECT_EQ(diagnostics.sorted()[0].hint, "did you mean 'kind' by 'kin'?");
  EXPECT_EQ(diagnostics.sorted()[1].message, "unknown key 'att' in animal 'late'");
  EXPECT_EQ(diagnostics.sorted()[1].hint, "did you mean 'at'?");
}

TEST(Fields, DescribeThemselves) {
  const std::vector<FieldInfo> infos = fields_of<Whole>().infos();
  const auto find = [&](std::string_view name) {
    for (const FieldInfo& info : infos) {
      if (info.name == name) return info;
    }
    return FieldInfo{};
  };
  EXPECT_EQ(find("span").default_text, "30s");
  EXPECT_EQ(find("memory").default_text, "1Mi");
  EXPECT_EQ(find("cpu").default_text, "500m");
  EXPECT_EQ(find("rate").default_text, "1Gbit/s");
  EXPECT_EQ(find("share").default_text, "50%");
  EXPECT_EQ(find("colour").default_text, "blue");
  EXPECT_EQ(find("maybe").default_text, "");
  ASSERT_NE(find("parts").type.fields, nullptr);
  EXPECT_EQ(find("parts").type.fields()[0].name, "count");
}

TEST(Alternatives, AreToldApartByKind) {
  Alternatives<example::Animal> animals("animal");
  animals.add<example::Dog>("dog", "Barks.").add<example::Bird>("bird", "Sings.");
  Diagnostics diagnostics;
  const auto document = load_text("t.yaml",
                                  "rex: {kind: dog, at: 3s, teeth: 40}\ntweety: {kind: bird, at: 1m, songs: [a, b]}\n"
                                  "tom: {kind: cat, at: 1s}\nidle: {at: 1s}\nlate: {kind: dog}\nodd: {kind: dog, at: 1s, songs: [a]}\nempty:\n",
                                  diagnostics);
  Reader reader{diagnostics};
  const auto all = animals.read_section(document->root(), reader);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]->name, "rex");
  EXPECT_EQ(all[0]->kind, "dog");
  EXPECT_EQ(all[0]->where.line, 1u);
  EXPECT_EQ(dynamic_cast<const example::Dog&>(*all[0]).teeth, 40);
  EXPECT_EQ(dynamic_cast<const example::Bird&>(*all[1]).songs.size(), 2u);
  std::vector<std::string> errors;
  for (const Diagnostic& d : diagnostics.sorted()) errors.push_back(fmt::format("{}:{} {}", d.line, d.column, d.message));
  EXPECT_EQ(errors, (std::vector<std::string>{"3:13 unknown word", "4:7 animal 'idle' needs the key 'kind'", "5:7 animal 'late' needs the key 'at'",
                                              "6:26 unknown key 'songs' in animal 'odd'", "7:1 animal 'empty' needs the key 'kind'"}));
  EXPECT_EQ(animals.kinds(), (std::vector<std::string>{"dog", "bird"}));
  EXPECT_EQ(animals.infos()[1].fields[1].name, "songs");

  const auto listed = load_text("l.yaml", "- {name: rex, kind: dog, at: 0s}\n", diagnostics);
  EXPECT_EQ(animals.read_section(listed->root(), reader).size(), 1u);
}

}  // namespace
}  // namespace sim::scenario
