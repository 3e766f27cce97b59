#include "sim/core/random.hpp"

#include <cmath>

#include "sim/core/hash.hpp"
#include "sim/core/math.hpp"

namespace sim {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

namespace {

// SplitMix64's finaliser over an FNV-1a walk: spreads names over the 128 bits of key and counter.
std::uint64_t hash_name(std::uint64_t hash, std::string_view text) {
  hash = fnv1a("\xff", fnv1a(text, hash));  // an end, so that "ab" + "c" is not "a" + "bc"
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
  return hash ^ (hash >> 31);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t run_seed, std::string_view purpose, std::string_view entity, std::uint32_t clone) {
  const std::uint64_t a = hash_name(hash_name(kFnvBasis ^ run_seed, purpose), entity);
  const std::uint64_t b = hash_name(hash_name(0x9ae16a3b2f90404full + run_seed * 0x9e3779b97f4a7c15ull, purpose), entity);
  key_ = {static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32)};
  stream_ = {static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(b >> 32) ^ clone};
}

std::uint64_t RandomStream::next() {
  if (left_ == 0) {
    const auto words = philox4x32_10({static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32), stream_[0], stream_[1]}, key_);
    ++block_;
    buffer_ = {std::uint64_t{words[1]} << 32 | words[0], std::uint64_t{words[3]} << 32 | words[2]};
    left_ = 2;
  }
  return buffer_[--left_];
}

double RandomStream::uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1.0p-53; }

std::int64_t RandomStream::uniform_int(std::int64_t low, std::int64_t high) {
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  if (range == 0) return static_cast<std::int64_t>(next());
  // Lemire 2019: multiply, and reject the few low products that would be counted twice.
  __extension__ using Wide = unsigned __int128;
  Wide product = Wide(next()) * range;
  if (static_cast<std::uint64_t>(product) < range) {
    const std::uint64_t threshold = (0 - range) % range;
    while (static_cast<std::uint64_t>(product) < threshold) product = Wide(next()) * range;
  }
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + static_cast<std::uint64_t>(product >> 64));
}

SimDuration RandomStream::uniform(SimDuration low, SimDuration high) { return SimDuration(uniform_int(low.count(), high.count())); }
bool RandomStream::chance(double p) { return uniform() < p; }
double RandomStream::exponential(double mean) { return -mean * math::log(uniform()); }
double RandomStream::weibull(double shape, double scale) { return scale * math::pow(-math::log(uniform()), 1.0 / shape); }

double RandomStream::normal(double mean, double standard_deviation) {
  // Box-Muller, one of the pair: two uniforms a draw whatever happens, so draws stay in step.
  const double u = uniform();
  const double v = uniform();
  return mean + standard_deviation * std::sqrt(-2.0 * math::log(u)) * math::cos_turns(v);
}

double RandomStream::lognormal(double median, double sigma) { return median * math::exp(normal(0.0, sigma)); }

double RandomStream::gamma(double shape, double scale) {
  if (shape < 1.0) {
    const double boost = math::pow(uniform(), 1.0 / shape);
    return gamma(shape + 1.0, scale) * boost;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(0.0, 1.0);
    const double t = 1.0 + c * x;
    if (t <= 0.0) continue;
    const double v = t * t * t;
    if (math::log(uniform()) < 0.5 * x * x + d - d * v + d * math::log(v)) return d * v * scale;
  }
}

double RandomStream::empirical(std::span<const double> values) {
  return values[static_cast<std::size_t>(uniform_int(0, static_cast<std::int64_t>(values.size()) - 1))];
}

SimDuration RandomStream::exponential(SimDuration mean) { return from_seconds(exponential(seconds(mean))); }
SimDuration RandomStream::lognormal(SimDuration median, double sigma) { return from_seconds(lognormal(seconds(median), sigma)); }

}  // namespace sim
