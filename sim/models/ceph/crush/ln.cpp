#include "sim/models/ceph/crush/ln.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "sim/core/check.hpp"

namespace sim::ceph::crush {

namespace {

struct SmallTables {
  std::array<std::uint64_t, 129> reciprocal;  // 2^48 / (1 + k / 128), rounded up
  std::array<std::uint64_t, 129> high;        // 2^48 log2(1 + k / 128)
  std::array<std::uint64_t, 256> low;         // 2^48 log2(1 + k / 32768), most of them too large by kLowOffset
};

constexpr std::uint64_t kLowOffset = 0x147700000;
constexpr std::uint8_t kLowExact[] = {0,   1,   203, 216, 222, 233, 237, 238, 239, 243, 244, 245,
                                      246, 248, 249, 250, 251, 252, 253, 254, 255};
struct LowException {
  std::uint8_t k;
  std::uint64_t value;
};
constexpr LowException kLowExceptions[] = {
    {56, 0xa2b07f3458},   {127, 0x16df6ca19bd}, {134, 0x182b07f3458}, {181, 0x209c06e6212}, {184, 0x212b07f3458}, {188, 0x21d6a73a78f},
    {193, 0x22c23679b4e}, {198, 0x23a2c3b0ea4}, {199, 0x23d13ee805b}, {200, 0x24035e9221f}, {207, 0x25492644d65}, {210, 0x25d13ee805b},
    {212, 0x26296453882}, {225, 0x287bdbf5255}, {227, 0x28d13ee805b}, {228, 0x29035e9221f}, {229, 0x29296453882}, {231, 0x29902a37aab},
    {235, 0x2a4c7605d61}, {236, 0x2a7bdbf5255}, {240, 0x2b296453882}, {241, 0x2b5d022d80f}, {247, 0x2c61a5e8f4c}};

constexpr std::uint64_t kReciprocalSum = 25184502743099416;
constexpr std::uint64_t kHighSum = 20219628255001087;
constexpr std::uint64_t kLowSum = 404690236986906;
constexpr std::uint64_t kLnSum = 16783591338754560694ULL;

SmallTables make_small_tables() {
  SmallTables tables{};
  constexpr long double kOne = 281474976710656.0L;  // 2^48
  std::uint64_t reciprocal_sum = 0;
  std::uint64_t high_sum = 0;
  std::uint64_t low_sum = 0;
  for (std::uint64_t k = 0; k <= 128; ++k) {
    tables.reciprocal[k] = ((1ULL << 55) + 127 + k) / (128 + k);
    tables.high[k] = static_cast<std::uint64_t>(kOne * std::log2(1.0L + static_cast<long double>(k) / 128));
    if (k == 128) tables.high[k] = 0xffff00000000;  // not 2^48: so it stands in the table
    reciprocal_sum += tables.reciprocal[k];
    high_sum += tables.high[k];
  }
  for (std::uint64_t k = 0; k < 256; ++k) {
    tables.low[k] = static_cast<std::uint64_t>(kOne * std::log2(1.0L + static_cast<long double>(k) / 32768)) + kLowOffset;
  }
  for (const std::uint8_t k : kLowExact) tables.low[k] -= kLowOffset;
  for (const LowException& exception : kLowExceptions) tables.low[exception.k] = exception.value;
  for (const std::uint64_t low : tables.low) low_sum += low;
  SIM_CHECK(reciprocal_sum == kReciprocalSum && high_sum == kHighSum && low_sum == kLowSum, "the tables of crush_ln are those of Ceph");
  return tables;
}

std::uint64_t evaluate(const SmallTables& tables, std::uint32_t u) {
  std::uint64_t v = u + 1;
  std::uint64_t exponent = 15;
  while (v < 0x8000) {
    v <<= 1;
    --exponent;
  }
  const std::uint64_t k = (v >> 8) - 128;
  const std::uint64_t j = ((v * tables.reciprocal[k]) >> 48) & 255;
  return (exponent << 44) + ((tables.high[k] + tables.low[j]) >> 4);
}

std::unique_ptr<const LnTables> make_tables() {
  const SmallTables small = make_small_tables();
  auto tables = std::make_unique<LnTables>();
  std::uint64_t sum = 0;
  std::int64_t nearest = std::int64_t{1} << 50;  // below the run
  for (std::uint32_t u = 0; u < kLnInputs; ++u) {
    const std::uint64_t ln = evaluate(small, u);
    sum += ln;
    const std::int64_t distance = (std::int64_t{1} << 48) - static_cast<std::int64_t>(ln);
    tables->distance[u] = distance;
    tables->distance_rounded[u] = static_cast<float>(distance);
    const bool continues = u > 0 && tables->distance[u - 1] == distance;
    if (u > 0 && !continues) nearest = std::min(nearest, tables->distance[u - 1]);
    tables->run_begin[u] = continues ? tables->run_begin[u - 1] : static_cast<std::int32_t>(u);
    tables->lead[u] = nearest - distance;
  }
  SIM_CHECK(sum == kLnSum, "crush_ln is that of Ceph");
  return tables;
}

}  // namespace

const LnTables& ln_tables() {
  static const std::unique_ptr<const LnTables> tables = make_tables();
  return *tables;
}

std::uint64_t crush_ln(std::uint32_t u) { return static_cast<std::uint64_t>((std::int64_t{1} << 48) - ln_tables().distance[u & 0xffff]); }

}  // namespace sim::ceph::crush
