// Inputs that were made to hurt, and many small damages to good ones: each is read or refused with a place, and nothing crashes or hangs.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "sim/scenario/manifests.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/schema.hpp"

namespace sim::scenario {
namespace {

namespace fs = std::filesystem;

/// Reads a text in every way in which a user's text is read. Whatever is found wrong has a message and a place that exists.
void read_in_every_way(const std::string& name, const std::string& text) {
  for (const std::string& as : {name, std::string("fuzz.json")}) {
    Diagnostics diagnostics;
    const auto document = load_text(as, text, diagnostics);
    Interner names;
    ManifestReader manifests(names, diagnostics);
    manifests.decode(*document);
    const ManifestSet set = manifests.finish();
    for (const Node& root : document->roots()) content_hash(root);
    for (const Diagnostic& d : diagnostics.sorted()) {
      EXPECT_FALSE(d.message.empty());
      EXPECT_EQ(d.line == 0, d.column == 0);
      EXPECT_LE(d.line, document->file()->line_count());
    }
    EXPECT_FALSE(!diagnostics.empty() && diagnostics.format().empty());
  }
  Diagnostics diagnostics;
  const auto spec = read_scenario_text(name, text, {}, diagnostics);
  EXPECT_TRUE(spec != nullptr || diagnostics.has_errors());
}

TEST(Fuzz, Corpus) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(SQUALL_SOURCE_DIR) / "tests/scenario/corpus")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_GT(files.size(), 30u);
  for (const fs::path& path : files) {
    SCOPED_TRACE(path.filename().string());
    std::ifstream file(path, std::ios::binary);
    read_in_every_way(path.string(), std::string{std::istreambuf_iterator<char>(file), {}});
  }
}

TEST(Fuzz, DamagedInputs) {
  const std::string reference = scenario_reference();
  const std::size_t begin = reference.find("```yaml\n") + 8;
  const std::string scenario = reference.substr(begin, reference.find("```", begin) - begin);
  const std::string manifests =
      "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: StatefulSet\n  metadata: {name: s, labels: &l {a: b}}\n  spec:\n    selector: {matchLabels: *l}\n"
      "    template:\n      metadata: {labels: *l}\n      spec:\n        containers:\n        - name: c\n          image: \"i:1\"\n          resources: {limits: {cpu: '2', memory: 1Gi}}\n"
      "---\n{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"metadata\": {\"name\": \"n\"}, \"status\": {\"capacity\": {\"cpu\": \"4\", \"memory\": \"8Gi\"}}}\n";
  // Pieces that mean something to YAML or JSON.
  const std::vector<std::string> pieces = {"\n", ": ", "- ", "---\n", "&x ", "*x", "{", "}", "[", "]", "\"", "'", "|", ">", "#", "!", "%", "\t", "<<: *x", "null", "\\", "0", "-", "\r\n", "? "};
  for (const std::string& good : {scenario, manifests}) {
    std::mt19937_64 random(20260101);
    for (int round = 0; round < 1500; ++round) {
      SCOPED_TRACE(round);
      std::string text = good;
      for (std::uint64_t change = 0, changes = 1 + random() % 3; change < changes && !text.empty(); ++change) {
        const std::size_t at = random() % text.size();
        switch (random() % 5) {
          case 0: text.erase(at, 1 + random() % 8); break;
          case 1: text.insert(at, pieces[random() % pieces.size()]); break;
          case 2: text[at] = static_cast<char>(32 + random() % 95); break;
          case 3: text.insert(at, text.substr(random() % text.size(), random() % 40)); break;
          default: text.resize(at); break;
        }
      }
      read_in_every_way("fuzz.yaml", text);
    }
  }
}

}  // namespace
}  // namespace sim::scenario
