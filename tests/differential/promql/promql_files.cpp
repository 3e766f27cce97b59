// usage: promql_files FILE.test... Runs Prometheus' own tests of PromQL against Squall's engine; exit 1 when one does not hold.
#include <fmt/format.h>

#include <fstream>
#include <set>

#include "tests/models/monitoring/promql_script.hpp"

int main(int argc, char** argv) {
  int failed = 0;
  int held = 0;
  int unsupported = 0;
  std::set<std::string> refused;
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i]);
    std::ostringstream text;
    text << in.rdbuf();
    const promql_script::Outcome outcome = promql_script::Runner().run(text.str());
    fmt::print("{}: {} hold, {} fail, {} use what is left out\n", argv[i], outcome.held, outcome.failed, outcome.unsupported);
    for (const std::string& failure : outcome.failures) fmt::print("  {}\n", failure);
    failed += outcome.failed;
    held += outcome.held;
    unsupported += outcome.unsupported;
    refused.insert(outcome.refused.begin(), outcome.refused.end());
  }
  fmt::print("{} hold, {} fail, {} use what is left out\n", held, failed, unsupported);
  for (const std::string& what : refused) fmt::print("  {}\n", what);
  return failed == 0 ? 0 : 1;
}
