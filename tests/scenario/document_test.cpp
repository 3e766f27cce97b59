#include "sim/scenario/document.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "sim/scenario/source_document.hpp"

namespace sim::scenario {
namespace {

/// The tree in one line, with places: what two ways of reading must agree on.
std::string shown(Node node) {
  const std::string at = fmt::format("@{}:{}", node.line(), node.column());
  switch (node.kind()) {
    case NodeKind::kNull: return "null" + at;
    case NodeKind::kScalar: return fmt::format("{}{}{}", node.is_plain() ? "" : "'", node.text(), at);
    case NodeKind::kSequence: {
      std::string text = "[";
      for (std::size_t i = 0; i < node.size(); ++i) text += shown(node.item(i)) + " ";
      return text + "]" + at;
    }
    case NodeKind::kMap: {
      std::string text = "{";
      for (std::size_t i = 0; i < node.size(); ++i) text += shown(node.key(i)) + "=" + shown(node.value(i)) + " ";
      return text + "}" + at;
    }
  }
  return "";
}

/// Without places.
std::string plain(Node node) {
  std::string text = shown(node);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '@') {
      while (i + 1 < text.size() && (text[i + 1] == ':' || (text[i + 1] >= '0' && text[i + 1] <= '9'))) ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::shared_ptr<const Document> good(std::string text, std::string name = "test.yaml") {
  Diagnostics diagnostics;
  auto document = load_text(std::move(name), std::move(text), diagnostics);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.format();
  return document;
}

/// The first error as "line:column: message".
std::string first_error(std::string text, std::string name = "test.yaml") {
  Diagnostics diagnostics;
  load_text(std::move(name), std::move(text), diagnostics);
  if (!diagnostics.has_errors()) return "";
  const Diagnostic d = diagnostics.sorted().front();
  return fmt::format("{}:{}: {}", d.line, d.column, d.message);
}

TEST(Yaml, GivesATreeWithPlaces) {
  const auto document = good("a: 1\nb:\n  - x\n  - 'y'\nc: {d: ~, e: }\n");
  EXPECT_EQ(shown(document->root()), "{a@1:1=1@1:4 b@2:1=[x@3:5 'y@4:5 ]@3:3 c@5:1={d@5:5=null@5:8 e@5:11=null@5:11 }@5:4 }@1:1");
}

TEST(Yaml, ManyDocumentsKeepTheirOrderAndTheirLines) {
  std::string text;
  constexpr int kCount = 3000;
  for (int i = 0; i < kCount; ++i) text += fmt::format("kind: {}\nvalue: {}\n---\n", i, std::string(40, 'x'));
  const auto document = good(text);
  ASSERT_EQ(document->roots().size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    EXPECT_EQ(document->roots()[static_cast<std::size_t>(i)].find("kind").text(), fmt::format("{}", i));
    EXPECT_EQ(document->roots()[static_cast<std::size_t>(i)].line(), static_cast<std::uint32_t>(1 + 3 * i));
  }
}

TEST(Yaml, SeparatorsDirectivesAndComments) {
  struct Case {
    const char* name;
    const char* text;
    std::size_t roots;
  };
  for (const Case& c : {Case{"nothing", "", 0}, Case{"blank", "\n \n", 0}, Case{"comment", "# x\n", 0}, Case{"separators only", "---\n---\n", 0},
                        Case{"end markers", "a: 1\n...\n---\nb: 2\n...\n", 2}, Case{"directive", "%YAML 1.2\n---\na: 1\n", 1},
                        Case{"directive between", "a: 1\n...\n%YAML 1.2\n---\nb: 2\n", 2}, Case{"on one line", "--- {a: 1}\n--- [b]\n", 2},
                        Case{"byte order mark", "\xEF\xBB\xBF"
                                               "a: 1\n",
                             1},
                        Case{"carriage returns", "a: 1\r\n---\r\nb: 2\r\n", 2}, Case{"in a block scalar", "a: |\n  ---\n  b\n", 1},
                        Case{"null document", "~\n---\na: 1\n", 1}}) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(good(c.text)->roots().size(), c.roots);
  }
}

TEST(Yaml, TypesFollowTheCoreSchema) {
  struct Case {
    const char* text;
    bool string;
    std::optional<bool> boolean;
    std::optional<std::int64_t> integer;
    std::optional<double> number;
  };
  const Case cases[] = {
      {"yes", true, {}, {}, {}},         {"on", true, {}, {}, {}},           {"n", true, {}, {}, {}},           {"true", false, true, {}, {}},
      {"False", false, false, {}, {}},   {"tRue", true, {}, {}, {}},         {"'true'", true, {}, {}, {}},      {"12", false, {}, 12, 12.0},
      {"-3", false, {}, -3, -3.0},       {"+3", false, {}, 3, 3.0},          {"'12'", true, {}, {}, {}},        {"010", false, {}, {}, {}},
      {"0", false, {}, 0, 0.0},          {"0o17", false, {}, 15, 15.0},      {"0x1F", false, {}, 31, 31.0},     {"1.5", false, {}, {}, 1.5},
      {".5", false, {}, {}, 0.5},        {"1e3", false, {}, {}, 1000.0},     {".nan", false, {}, {}, {}},       {".inf", false, {}, {}, {}},
      {"1e999", false, {}, {}, {}},      {"1_000", true, {}, {}, {}},        {"1.2.3", true, {}, {}, {}},       {"30s", true, {}, {}, {}},
      {"9223372036854775807", false, {}, INT64_MAX, 9223372036854775807.0},  {"9223372036854775808", false, {}, {}, 9223372036854775808.0},
      {"!!str 12", true, {}, {}, {}},    {"!!int \"12\"", false, {}, 12, 12.0}, {"12:30", true, {}, {}, {}},    {"0x", true, {}, {}, {}},
      {"-", true, {}, {}, {}},           {"1.", false, {}, {}, 1.0},
  };
  for (const Case& c : cases) {
    if (std::string_view(c.text) == "-") continue;  // an empty list item, not a scalar
    SCOPED_TRACE(c.text);
    const auto document = good(fmt::format("v: {}\n", c.text));
    const Node node = document->root().find("v");
    ASSERT_TRUE(node.is_scalar());
    EXPECT_EQ(node.is_string(), c.string);
    EXPECT_EQ(node.as_bool(), c.boolean);
    EXPECT_EQ(node.as_integer(), c.integer);
    EXPECT_EQ(node.as_number(), c.number);
  }
}

TEST(Yaml, AnchorsAliasesAndMergeKeys) {
  const auto document = good("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\none: *b\nmerged: {<<: *b, y: 9}\nboth:\n  <<: [*b, *o]\n  w: 0\nquoted: {\"<<\": *b}\n");
  EXPECT_EQ(plain(document->root().find("one")), "{x=1 y=2 }");
  EXPECT_EQ(plain(document->root().find("merged")), "{y=9 x=1 }");
  EXPECT_EQ(plain(document->root().find("both")), "{w=0 x=1 y=2 z=4 }");
  EXPECT_EQ(plain(document->root().find("quoted")), "{'<<={x=1 y=2 } }");
}

TEST(Yaml, RefusesWithThePlace) {
  struct Case {
    const char* text;
    const char* error;
  };
  for (const Case& c : {
           Case{"a: 1\nb: 2\na: 3\n", "3:1: duplicate key 'a'"},
           Case{"x: {k: 1, k: 2}\n", "1:11: duplicate key 'k'"},
           Case{"a: &x [*x]\n", "1:8: this alias refers to a value that contains it"},
           Case{"a: {<<: 3}\n", "1:9: '<<' needs a map, or a list of maps, to merge"},
           Case{"a: !mine 3\n", "1:4: the tag '!mine' is not supported"},
           Case{"? [a]\n: b\n", "1:3: a key must be a string, not a list"},
           Case{"? {a: b}\n: c\n", "1:3: a key must be a string, not a map"},
           Case{"~: b\n", "1:1: a key must be a string, not nothing"},
           Case{"a: b\n]\n", "2:1: not valid YAML: illegal flow end"},
           Case{"{a: 1}\n{b: 2}\n", "2:1: unexpected content after the end of the document"},
           Case{"a: \"\\0\"\n", "1:4: a string must not hold a NUL character"},
           Case{"a: b\x01\n", "1:5: not a text file: the control character 0x01"},
           Case{"ok: 1\nbad: \xC3\x28\n", "2:6: not a text file: no valid UTF-8"},
           Case{"\xFF\xFE", "1:1: not a text file: no valid UTF-8"},
       }) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(first_error(c.text), c.error);
  }
  EXPECT_EQ(first_error(std::string("a: b\0c\n", 7)), "1:5: not a text file: a NUL byte");
  EXPECT_EQ(first_error("a: \"never closed\n"), "1:4: not valid YAML: this quote is never closed");
  EXPECT_EQ(first_error("a: &x 'it''s\nb: c\n"), "1:4: not valid YAML: this quote is never closed");
  EXPECT_EQ(first_error("a: 'it''s'\nb: \"\\\"\"\n"), "");
  EXPECT_EQ(first_error("a: [1, 2\nb: 3\n").substr(0, 2), "2:");
  EXPECT_NE(first_error("a: b: c\n"), "");
  EXPECT_NE(first_error("a: *nobody\n"), "");
  EXPECT_NE(first_error("a:\n\tb: 1\n"), "");
}

TEST(Yaml, AnErrorInOneDocumentLeavesTheOthers) {
  Diagnostics diagnostics;
  const auto document = load_text("f.yaml", "a: 1\n---\nb: [\n---\nc: 3\n---\nd: \"x\n---\ne: 5\n", diagnostics);
  EXPECT_EQ(diagnostics.error_count(), 2u);
  ASSERT_EQ(document->roots().size(), 3u);
  EXPECT_EQ(document->roots()[2].find("e").line(), 9u);
}

TEST(Yaml, AliasBombsAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    text += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) text += fmt::format("*a{}{}", i - 1, k == 9 ? "]\n" : ", ");
  }
  EXPECT_NE(first_error(text).find("aliases make this document larger than 1000000 values"), std::string::npos) << first_error(text);
  // Deep rather than wide: each level nests the one before.
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 200; ++i) deep += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
  EXPECT_NE(first_error(deep).find("nested deeper than 100 levels"), std::string::npos) << first_error(deep);
  // Merge keys copy too, but each key once.
  std::string merges = "m0: &m0 {a: 1, b: 2}\n";
  for (int i = 1; i < 50; ++i) merges += fmt::format("m{0}: &m{0} {{<<: [*m{1}, *m{1}], k{0}: 1}}\n", i, i - 1);
  EXPECT_EQ(first_error(merges).find("not valid"), std::string::npos);
}

TEST(Yaml, DeepNestingIsRefusedWithoutACrash) {
  for (const char* unit : {"[", "{a: ", "- ", "? ", "a:\n "}) {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += unit;
    EXPECT_NE(first_error(text), "") << unit;
  }
  std::string block;
  for (int i = 0; i < 300; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(first_error(block), "101:101: nested deeper than 100 levels");
}

TEST(Yaml, TooLargeAFileIsRefused) {
  Diagnostics diagnostics;
  load_text("big.yaml", std::string(kFileSizeLimit + 1, ' '), diagnostics);
  ASSERT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.sorted()[0].message, "the file is larger than 64 MiB");
}

TEST(Yaml, EveryTruncationIsReadOrRefused) {
  const std::string text =
      "apiVersion: v1\nkind: \"Po\\u00e4d\"\nlist: [1, {a: 'b'}, &x \"c\"]\nblock: |\n  one\n  two\nfold: >-\n  x\nalias: *x\n? k\n: v\n---\n- a\n- b: !!str 1\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Diagnostics diagnostics;
    const auto document = load_text("cut.yaml", text.substr(0, cut), diagnostics);
    for (const Diagnostic& d : diagnostics.sorted()) {
      EXPECT_GE(d.line, 1u) << cut;
      EXPECT_GE(d.column, 1u) << cut;
    }
    for (const Node& root : document->roots()) EXPECT_FALSE(shown(root).empty());
  }
}

TEST(Json, GivesTheSameTreeAsYaml) {
  const std::string text = "{\"a\": 1, \"b\": [true, null, \"x\\n\\u00e4\\ud83d\\ude00\"],\n \"c\": {\"d\": -1.5e3}}";
  const auto json = good(text, "f.json");
  EXPECT_EQ(shown(json->root()),
            "{'a@1:2=1@1:7 'b@1:10=[true@1:16 null@1:22 'x\n\u00e4\U0001F600@1:28 ]@1:15 'c@2:2={'d@2:8=-1.5e3@2:13 }@2:7 }@1:1");
  EXPECT_EQ(shown(good(text, "f.yaml")->root()), shown(json->root()));
  // Numbers as they are written, whatever a double would make of them.
  EXPECT_EQ(shown(good("[1E+05,\n0.10 , 123456789012345678901234567890]", "f.json")->root()), "[1E+05@1:2 0.10@2:1 123456789012345678901234567890@2:8 ]@1:1");
}

TEST(Json, RefusesWithThePlace) {
  struct Case {
    const char* text;
    const char* error;
  };
  for (const Case& c : {
           Case{"{\"a\": 1,}", "1:9: not valid JSON: expected a key in double quotes"},
           Case{"{\"a\" 1}", "1:6: not valid JSON: expected ':'"},
           Case{"[1 2]", "1:4: not valid JSON: expected ',' or ']'"},
           Case{"{\"a\": 01}", "1:8: not valid JSON: expected ',' or '}'"},
           Case{"{\"a\": 1.}", "1:9: not valid JSON: expected a digit"},
           Case{"{\"a\": tru}", "1:7: not valid JSON: expected a value"},
           Case{"{\"a\": \"x", "1:9: not valid JSON: the file ends here, expected the end of the string"},
           Case{"{\"a\": \"\\x\"}", "1:8: not valid JSON: unknown escape in a string"},
           Case{"{\"a\": \"\\ud800\"}", "1:8: not valid JSON: half of a surrogate pair"},
           Case{"{\"a\": 1,\n \"a\": 2}", "2:2: duplicate key 'a'"},
           Case{"{} x", "1:4: not valid JSON: unexpected content after the end of the value"},
           Case{"{", "1:2: not valid JSON: the file ends here, expected a key in double quotes"},
           Case{"nul", "1:1: not valid JSON: expected a value"},
           Case{"{'a': 1}", "1:2: not valid JSON: expected a key in double quotes"},
           Case{"{\"a\": [1, \"\\\"x,:\",\n\n  2e5 ,\t3\n ,]}", "4:3: not valid JSON: expected a value"},
           Case{"{\"a\": 1\n\n \"b\": 2}", "3:2: not valid JSON: expected ',' or '}'"},
           Case{"[\"a\nb\"]", "1:4: not valid JSON: a control character must be escaped in a string"},
           Case{"[1e999]", "1:2: not valid JSON: the number is too large"},
           Case{"[\"\\u00zz\"]", "1:3: not valid JSON: expected four hexadecimal digits"},
           Case{"[\"\\u0000\"]", "1:2: a string must not hold a NUL character"},
       }) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(first_error(c.text, "f.json"), c.error);
  }
  EXPECT_EQ(first_error(std::string(100'000, '['), "f.json"), "1:101: nested deeper than 100 levels");
}

TEST(Json, FlowStyleYamlIsNotMistakenForBrokenJson) {
  EXPECT_EQ(plain(good("{a: 1, 'b': [x]}\n")->root()), "{a=1 'b=[x ] }");
  EXPECT_EQ(good("{a: 1}\n---\n{b: 2}\n")->roots().size(), 2u);
}

TEST(SourceRange, IsTheWholeObjectAndNothingElse) {
  const std::string text =
      "# head\nkind: List\nitems:\n- kind: A\n  spec:\n    x: |\n      text\n\n    y: 2\n# between\n- kind: B\n  flow: {a: \"}\"}\nlast: 1\n---\nkind: C\n";
  const auto document = good(text);
  const Node items = document->roots()[0].find("items");
  const auto source = [&](Node node) {
    k8s::SourceDocument result;
    result.file = node.file()->shared_from_this();
    result.range = source_range(node);
    return result.text();
  };
  EXPECT_EQ(source(items.item(0)), "  kind: A\n  spec:\n    x: |\n      text\n\n    y: 2\n");
  EXPECT_EQ(source(items.item(1)), "  kind: B\n  flow: {a: \"}\"}\n");
  EXPECT_EQ(source(items.item(1).find("flow")), std::string(8, ' ') + "{a: \"}\"}");
  EXPECT_EQ(source(document->roots()[1]), "kind: C\n");
  // What it says reads back as the same value.
  EXPECT_EQ(plain(good(source(items.item(0)))->root()), plain(items.item(0)));
}

TEST(TreeEditor, MergePatchFollowsItsRfc) {
  // RFC 7386, appendix A, as far as both are documents of ours.
  struct Case {
    const char* base;
    const char* patch;
    const char* result;
  };
  for (const Case& c : {
           Case{"{a: b}", "{a: c}", "{a=c }"}, Case{"{a: b}", "{b: c}", "{a=b b=c }"}, Case{"{a: b}", "{a: null}", "{}"},
           Case{"{a: b, b: c}", "{a: null}", "{b=c }"}, Case{"{a: [b]}", "{a: c}", "{a=c }"}, Case{"{a: c}", "{a: [b]}", "{a=[b ] }"},
           Case{"{a: {b: c}}", "{a: {b: d, c: null}}", "{a={b=d } }"}, Case{"{a: [{b: c}]}", "{a: [1]}", "{a=[1 ] }"},
           Case{"[a, b]", "[c, d]", "[c d ]"}, Case{"{e: null}", "{a: 1}", "{e=null a=1 }"}, Case{"[1, 2]", "{a: b, c: null}", "{a=b }"},
           Case{"{}", "{a: {bb: {ccc: null}}}", "{a={bb={} } }"},
       }) {
    SCOPED_TRACE(fmt::format("{} {}", c.base, c.patch));
    const auto base = good(c.base);
    const auto patch = good(c.patch);
    TreeEditor editor;
    EXPECT_EQ(plain(editor.merge_patch(base->root(), patch->root())), c.result);
  }
}

TEST(TreeEditor, SetsAPath) {
  const auto document = good("pools: {w: {count: 3}}\nlist: [{name: a, x: 1}, {name: b, x: 2}]\n");
  const auto value = good("[7]");
  const Node seven = value->root().item(0);
  struct Case {
    const char* path;
    const char* result;
  };
  for (const Case& c : {
           Case{"pools.w.count", "{pools={w={count=7 } } list=[{name=a x=1 } {name=b x=2 } ] }"},
           Case{"list[1].x", "{pools={w={count=3 } } list=[{name=a x=1 } {name=b x=7 } ] }"},
           Case{"list.b.x", "{pools={w={count=3 } } list=[{name=a x=1 } {name=b x=7 } ] }"},
           Case{"run.until", "{pools={w={count=3 } } list=[{name=a x=1 } {name=b x=2 } ] 'run={'until=7 } }"},
           Case{"pools.w.labels.a\\.b/c", "{pools={w={count=3 'labels={'a.b/c=7 } } } list=[{name=a x=1 } {name=b x=2 } ] }"},
       }) {
    SCOPED_TRACE(c.path);
    TreeEditor editor;
    std::string error;
    const Node changed = editor.set_path(document->root(), c.path, seven, error);
    ASSERT_TRUE(changed) << error;
    EXPECT_EQ(plain(changed), c.result);
  }
  for (const char* path : {"", ".", "a..b", "list[9].x", "list.c.x", "pools.w.count.deep", "pools[0]", "list[", "list[]", "a."}) {
    SCOPED_TRACE(path);
    TreeEditor editor;
    std::string error;
    EXPECT_FALSE(editor.set_path(document->root(), path, seven, error));
    EXPECT_NE(error, "");
  }
}

TEST(LoadFile, SaysWhyAFileCannotBeRead) {
  Diagnostics diagnostics;
  EXPECT_EQ(load_file("no/such/file.yaml", diagnostics), nullptr);
  EXPECT_EQ(load_file("/", diagnostics), nullptr);
  EXPECT_EQ(diagnostics.error_count(), 2u);
}

}  // namespace
}  // namespace sim::scenario
