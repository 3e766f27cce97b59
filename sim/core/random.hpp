/// Keyed, counter-based random streams: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy
/// as 1, 2, 3; SC 2011), and our own distributions, so that numbers are equal on every compiler and library.
///
/// A stream is named by (seed of the run, purpose, entity): its numbers depend on nothing else. A new stream, or one
/// more draw elsewhere, moves no other stream; so two architectures can be compared under the same luck.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "sim/core/time.hpp"

namespace sim {

/// The ten-round Philox 4x32 bijection: the block of four words at `counter` under `key`.
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

class RandomStream {
 public:
  RandomStream() = default;
  RandomStream(std::uint64_t run_seed, std::string_view purpose, std::string_view entity, std::uint32_t clone = 0);

  std::uint64_t next();
  /// In (0, 1): never 0 nor 1. 53 bits.
  double uniform();
  /// Integer in [low, high], both included, without modulo bias.
  std::int64_t uniform_int(std::int64_t low, std::int64_t high);
  /// A span in [low, high].
  SimDuration uniform(SimDuration low, SimDuration high);
  /// True with probability p.
  bool chance(double p);

  double exponential(double mean);
  /// scale * (-ln U)^(1/shape).
  double weibull(double shape, double scale);
  double normal(double mean, double standard_deviation);
  /// exp(N(ln median, sigma)).
  double lognormal(double median, double sigma);
  /// Shape k, scale theta (mean k * theta). Marsaglia and Tsang 2000.
  double gamma(double shape, double scale);
  /// One of `values`, each with the same probability. `values` is not empty.
  double empirical(std::span<const double> values);

  SimDuration exponential(SimDuration mean);
  SimDuration lognormal(SimDuration median, double sigma);

  /// Fisher-Yates over [0, size): calls swap(i, j).
  template <class Swap>
  void shuffle(std::size_t size, Swap&& swap) {
    for (std::size_t i = size; i > 1; --i) {
      swap(i - 1, static_cast<std::size_t>(uniform_int(0, static_cast<std::int64_t>(i) - 1)));
    }
  }

 private:
  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 2> stream_{};
  std::uint64_t block_ = 0;
  std::array<std::uint64_t, 2> buffer_{};
  std::uint32_t left_ = 0;
};

/// Gives out the streams of one run.
class Randomness {
 public:
  explicit Randomness(std::uint64_t seed = 1) : seed_(seed) {}
  std::uint64_t seed() const { return seed_; }
  /// The stream "purpose" of one entity, from its first number: `stream("kubelet/lease-phase", "w1")`. Two calls with
  /// the same names give the same numbers: keep the stream where more than one draw is needed.
  RandomStream stream(std::string_view purpose, std::string_view entity) const {
    return RandomStream(seed_, purpose, entity);
  }

 private:
  std::uint64_t seed_;
};

}  // namespace sim
