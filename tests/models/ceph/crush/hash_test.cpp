// rjenkins1 and crush_ln against values of the real tools.
#include "sim/models/ceph/crush/hash.hpp"

#include "golden.hpp"
#include "sim/models/ceph/crush/ln.hpp"

namespace sim::ceph::crush {
namespace {

TEST(CrushHash, GoldenValues) {
  int hashes = 0;
  int logarithms = 0;
  for (const std::string& line : golden::lines(golden::read(golden::part() / "hash-golden.txt"))) {
    std::istringstream in(line);
    std::string what;
    in >> what;
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t number = 0; in >> number;) numbers.push_back(number);
    if (what == "#") continue;
    std::vector<std::uint32_t> a(numbers.begin(), numbers.end());
    SCOPED_TRACE(line);
    if (what == "h1") {
      EXPECT_EQ(hash1(a.at(0)), numbers.at(1));
    }
    if (what == "h2") {
      EXPECT_EQ(hash2(a.at(0), a.at(1)), numbers.at(2));
    }
    if (what == "h3") {
      EXPECT_EQ(hash3(a.at(0), a.at(1), a.at(2)), numbers.at(3));
    }
    if (what == "h4") {
      EXPECT_EQ(hash4(a.at(0), a.at(1), a.at(2), a.at(3)), numbers.at(4));
    }
    if (what == "h5") {
      EXPECT_EQ(hash5(a.at(0), a.at(1), a.at(2), a.at(3), a.at(4)), numbers.at(5));
    }
    hashes += what[0] == 'h' && what.size() == 2 ? 1 : 0;
    if (what == "ln") {
      EXPECT_EQ(crush_ln(a.at(0)), numbers.at(1));
      ++logarithms;
    }
    if (what == "lnsum" || what == "lnxor") {
      std::uint64_t sum = 0;
      std::uint64_t mixed = 0;
      for (std::uint32_t u = 0; u < kLnInputs; ++u) {
        sum += crush_ln(u);
        mixed ^= crush_ln(u) * (2 * std::uint64_t{u} + 1);
      }
      EXPECT_EQ(what == "lnsum" ? sum : mixed, numbers.at(0));
    }
  }
  EXPECT_EQ(hashes, 160);
  EXPECT_GT(logarithms, 300);
}

TEST(CrushHash, LeadTellsWhoCannotBeBeaten) {
  const LnTables& tables = ln_tables();
  int runs = 0;
  int not_monotone = 0;
  std::int64_t nearest = std::int64_t{1} << 50;
  for (std::int32_t u = 0; u < static_cast<std::int32_t>(kLnInputs); ++u) {
    const std::size_t at = static_cast<std::size_t>(u);
    const std::int32_t begin = tables.run_begin[at];
    for (std::int32_t v = begin; v < u; ++v) EXPECT_EQ(tables.distance[static_cast<std::size_t>(v)], tables.distance[at]);
    if (begin == u && u > 0) nearest = std::min(nearest, tables.distance[at - 1]);
    EXPECT_EQ(tables.lead[at], nearest - tables.distance[at]);
    runs += begin != u ? 1 : 0;
    not_monotone += tables.lead[at] < 0 ? 1 : 0;
  }
  EXPECT_GT(runs, 10'000);
  EXPECT_GT(not_monotone, 0);  // the table falls somewhere
  EXPECT_LT(not_monotone, 100);
}

}  // namespace
}  // namespace sim::ceph::crush
