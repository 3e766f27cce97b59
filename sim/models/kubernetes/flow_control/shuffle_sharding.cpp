#include "sim/models/kubernetes/flow_control/shuffle_sharding.hpp"

#include <bit>
#include <cmath>
#include <string>

#include "sim/core/check.hpp"

namespace sim::k8s::flow_control {

namespace {

constexpr int kMaxHashBits = 60;
constexpr int kMaxDeck = 1 << 26;

// FIPS 180-4.
constexpr std::array<std::uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void compress(std::array<std::uint32_t, 8>& state, const unsigned char* block) {
  std::array<std::uint32_t, 64> w;
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = std::uint32_t{block[4 * i]} << 24 | std::uint32_t{block[4 * i + 1]} << 16 | std::uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
  }
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    const std::uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> worked = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += worked[i];
}

/// The first 8 bytes of the digest, little-endian.
std::uint64_t sha256_head(std::string text) {
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  text += '\x80';
  while (text.size() % 64 != 56) text += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(bits >> shift & 0xff);
  std::array<std::uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t at = 0; at < text.size(); at += 64) compress(state, bytes + at);
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < 8; ++i) head |= std::uint64_t{state[i / 4] >> (24 - 8 * (i % 4)) & 0xff} << (8 * i);
  return head;
}

}  // namespace

int Dealer::required_entropy_bits(int deck_size, int hand_size) {
  return static_cast<int>(std::ceil(std::log2(static_cast<double>(deck_size)) * hand_size));
}

bool Dealer::is_valid(int deck_size, int hand_size) {
  return deck_size > 0 && hand_size > 0 && hand_size <= deck_size && deck_size <= kMaxDeck && required_entropy_bits(deck_size, hand_size) <= kMaxHashBits;
}

Dealer::Dealer(int deck_size, int hand_size) : deck_size_(deck_size), hand_size_(hand_size) {
  SIM_CHECK(is_valid(deck_size, hand_size), "sizes are checked where they are read");
}

int Dealer::deal_into(std::uint64_t hash, std::array<int, 15>& hand) const {
  // 15 is the most that 60 bits allow: h cards come from a deck of h at least, and h * log2(h) > 60 from 16 on.
  std::array<int, 15> remainders;
  for (int i = 0; i < hand_size_; ++i) {
    const auto left = static_cast<std::uint64_t>(deck_size_ - i);
    remainders[static_cast<std::size_t>(i)] = static_cast<int>(hash % left);
    hash /= left;
  }
  for (int i = 0; i < hand_size_; ++i) {
    int card = remainders[static_cast<std::size_t>(i)];
    for (int j = i; j > 0; --j) {
      if (card >= remainders[static_cast<std::size_t>(j - 1)]) ++card;
    }
    hand[static_cast<std::size_t>(i)] = card;
  }
  return hand_size_;
}

std::vector<int> Dealer::deal(std::uint64_t hash) const {
  std::array<int, 15> hand;
  const int count = deal_into(hash, hand);
  return {hand.begin(), hand.begin() + count};
}

std::uint64_t hash_flow(std::string_view flow_schema, std::string_view distinguisher) {
  std::string text(flow_schema);
  text += '\0';
  text += distinguisher;
  return sha256_head(std::move(text));
}

}  // namespace sim::k8s::flow_control
