/// Deals a hand of distinct queues to a flow, by the flow's hash alone: two flows rarely share their whole hand, so a flow that fills its queues leaves
/// others at least one.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/shufflesharding/shufflesharding.go (Dealer); apf_controller.go hashFlowID.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf (every hand).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sim::k8s::flow_control {

class Dealer {
 public:
  /// What the real one accepts: both positive, the hand no larger than the deck, at most 2^26 cards and 60 bits of hash.
  static bool is_valid(int deck_size, int hand_size);
  static int required_entropy_bits(int deck_size, int hand_size);

  Dealer() = default;  // deals nothing
  /// Needs is_valid().
  Dealer(int deck_size, int hand_size);

  /// Writes hand_size() indices of queues; returns them.
  std::vector<int> deal(std::uint64_t hash) const;
  /// The same without a memory of its own: `hand` takes up to 15.
  int deal_into(std::uint64_t hash, std::array<int, 15>& hand) const;
  int deck_size() const { return deck_size_; }
  int hand_size() const { return hand_size_; }

 private:
  int deck_size_ = 0;
  int hand_size_ = 0;
};

/// What a flow is dealt by: SHA-256 of the flow schema's name, a zero byte and the distinguisher; its first 8 bytes, little-endian.
std::uint64_t hash_flow(std::string_view flow_schema, std::string_view distinguisher);

}  // namespace sim::k8s::flow_control
