// The orders were made by Go 1.26's sort.Slice, of the numbers 0, 1, 2 ... with the comparisons below; kept as FNV-1a over the words.
#include "sim/models/kubernetes/scheduler/go_sort.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace sim::k8s::scheduling {
namespace {

enum Comparison : int { kAllEqual, kThreeValues, kFalling, kScattered, kTens, kAlwaysLess };

bool is_less(int comparison, std::int64_t a, std::int64_t b) {
  const auto value = [&](std::int64_t id) {
    switch (comparison) {
      case kThreeValues: return id % 3;
      case kFalling: return -id;
      case kScattered: return id * 7919 % 101;
      case kTens: return id / 10;
      default: return std::int64_t{0};
    }
  };
  return comparison == kAlwaysLess || value(a) < value(b);
}

std::vector<std::int64_t> sorted(std::int64_t count, int comparison) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(count));
  std::iota(list.begin(), list.end(), 0);
  go_sort(list, [&](std::int64_t a, std::int64_t b) { return is_less(comparison, a, b); });
  return list;
}

struct OrderCase {
  std::int64_t count;
  int comparison;
  std::uint64_t hash;
};

TEST(GoSort, OrdersAsGoDoes) {
  const OrderCase cases[] = {
    {0, 0, 0xcbf29ce484222325ull},
    {0, 1, 0xcbf29ce484222325ull},
    {0, 2, 0xcbf29ce484222325ull},
    {0, 3, 0xcbf29ce484222325ull},
    {0, 4, 0xcbf29ce484222325ull},
    {0, 5, 0xcbf29ce484222325ull},
    {1, 0, 0xaf63bd4c8601b7dfull},
    {1, 1, 0xaf63bd4c8601b7dfull},
    {1, 2, 0xaf63bd4c8601b7dfull},
    {1, 3, 0xaf63bd4c8601b7dfull},
    {1, 4, 0xaf63bd4c8601b7dfull},
    {1, 5, 0xaf63bd4c8601b7dfull},
    {2, 0, 0x8328707b4eb6e3aull},
    {2, 1, 0x8328707b4eb6e3aull},
    {2, 2, 0x82f2207b4e88cc4ull},
    {2, 3, 0x8328707b4eb6e3aull},
    {2, 4, 0x8328707b4eb6e3aull},
    {2, 5, 0x82f2207b4e88cc4ull},
    {5, 0, 0x3378e3d0c52edfafull},
    {5, 1, 0xd6830c027672909ull},
    {5, 2, 0xe3671b16371fea8full},
    {5, 3, 0xd6830c027672909ull},
    {5, 4, 0x3378e3d0c52edfafull},
    {5, 5, 0xe3671b16371fea8full},
    {12, 0, 0x2d7d4819416d7fb9ull},
    {12, 1, 0x26e5fd2094a877a1ull},
    {12, 2, 0xa033525a4dc863f9ull},
    {12, 3, 0xde35843c23e6f241ull},
    {12, 4, 0x2d7d4819416d7fb9ull},
    {12, 5, 0xa033525a4dc863f9ull},
    {13, 0, 0xb96137ea2d10008full},
    {13, 1, 0xc49568636c3f027bull},
    {13, 2, 0x1d2fa5645d0dec3full},
    {13, 3, 0x7be1ff31016db8d7ull},
    {13, 4, 0xb96137ea2d10008full},
    {13, 5, 0xec4dfd77930fdbbull},
    {20, 0, 0xcc927f6ee23a0f61ull},
    {20, 1, 0x57a8f102d4a0425ull},
    {20, 2, 0xd589877cc436ed39ull},
    {20, 3, 0xb196a24bc29aaea1ull},
    {20, 4, 0xcc927f6ee23a0f61ull},
    {20, 5, 0x349447569cb7cf39ull},
    {49, 0, 0x360a5c9d3b1bf95full},
    {49, 1, 0x5543cda175d2420full},
    {49, 2, 0x33bb9373b5503e3full},
    {49, 3, 0xa6440301c61e4635ull},
    {49, 4, 0x360a5c9d3b1bf95full},
    {49, 5, 0xb151ff8410c71491ull},
    {50, 0, 0xef94cd2b7088d5eaull},
    {50, 1, 0x336f9c137171433cull},
    {50, 2, 0x3420ad05be53744ull},
    {50, 3, 0x91b66ecd5ab28b40ull},
    {50, 4, 0xef94cd2b7088d5eaull},
    {50, 5, 0x90e5875ba851ce24ull},
    {51, 0, 0xa2ae78d038835e08ull},
    {51, 1, 0xdb72bb9f99d785cull},
    {51, 2, 0xd968d6e9d87f7db4ull},
    {51, 3, 0xae56a36e68cd2cc2ull},
    {51, 4, 0xa2ae78d038835e08ull},
    {51, 5, 0x2c1042b7b2cea32aull},
    {100, 0, 0xfb5c8cec60d83ab1ull},
    {100, 1, 0xce43fdc675e2d46bull},
    {100, 2, 0x644931484736d1d9ull},
    {100, 3, 0x54ad394e7c1f5c13ull},
    {100, 4, 0xfb5c8cec60d83ab1ull},
    {100, 5, 0x77eeec3cb5fa36fdull},
    {257, 0, 0x5ad384d356b6b3dfull},
    {257, 1, 0xba09ee2089ef92e7ull},
    {257, 2, 0x4a3020dd050751dfull},
    {257, 3, 0xf298c5c7f495d795ull},
    {257, 4, 0x5ad384d356b6b3dfull},
    {257, 5, 0x2827afaeaef2983bull},
    {1000, 0, 0x988cc5afd8cb65ddull},
    {1000, 1, 0x324f7ac7e334e507ull},
    {1000, 2, 0xa84907c59e63feb5ull},
    {1000, 3, 0xde6dfb56af021ecdull},
    {1000, 4, 0x988cc5afd8cb65ddull},
    {1000, 5, 0xf0c71b4a2f1b3e7bull},
  };
  for (const OrderCase& one : cases) {
    SCOPED_TRACE(testing::Message() << one.count << " elements, comparison " << one.comparison);
    std::uint64_t hash = 14695981039346656037ull;
    for (const std::int64_t id : sorted(one.count, one.comparison)) hash = (hash ^ static_cast<std::uint64_t>(id)) * 1099511628211ull;
    EXPECT_EQ(hash, one.hash);
  }
}

TEST(GoSort, WhoHasNotStartedComesOutInReverseUpToTwelve) {
  EXPECT_EQ(sorted(5, kAlwaysLess), (std::vector<std::int64_t>{4, 3, 2, 1, 0}));
  EXPECT_EQ(sorted(14, kAlwaysLess), (std::vector<std::int64_t>{11, 10, 9, 8, 7, 13, 5, 4, 3, 2, 1, 12, 0, 6}));
}

}  // namespace
}  // namespace sim::k8s::scheduling
