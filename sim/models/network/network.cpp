#include "sim/models/network/network.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace sim::network {

namespace {
constexpr double kBitsPerByte = 8.0;
}

Network::Network(Engine& engine, const host::Hosts& hosts, const topology::Topology& topology, NetworkConfig config)
    : hosts_(hosts), topology_(topology), config_(std::move(config)), bandwidth_(engine) {
  for (const auto& [name, bytes_per_second] : config_.uplinks) {
    const topology::ElementId element = topology_.find(name);
    SIM_CHECK(element, "an uplink's element is in the topology");
    uplink_elements_.push_back(element);
    uplinks_.push_back({bandwidth_.add_link(bytes_per_second), bandwidth_.add_link(bytes_per_second)});
  }
  internet_ = {bandwidth_.add_link(config_.internet_bytes_per_second), bandwidth_.add_link(config_.internet_bytes_per_second)};
}

const Network::Direction& Network::card(host::HostId host) {
  const auto [place, is_new] = cards_.try_emplace(host);
  if (is_new) {
    const double capacity = hosts_.spec(host).nic_bits_per_second / kBitsPerByte;
    place->second = {bandwidth_.add_link(capacity), bandwidth_.add_link(capacity)};
  }
  return place->second;
}

void Network::limit_card(host::HostId host, double out, double in) {
  const double most = hosts_.spec(host).nic_bits_per_second / kBitsPerByte;
  const Direction both = card(host);
  bandwidth_.set_capacity(both.out, out > 0.0 ? std::min(out, most) : most);
  bandwidth_.set_capacity(both.in, in > 0.0 ? std::min(in, most) : most);
}

void Network::add_cards(host::HostId host, bool outward, Links& links) {
  const auto add = [&](host::HostId one) {
    const Direction& both = card(one);
    links.push_back(outward ? both.out : both.in);
  };
  add(host);
  const topology::ElementId below = topology_.enclosing(hosts_.element(host), topology::ElementKind::kHost);
  if (!below || below == hosts_.element(host)) return;
  const host::HostId physical = hosts_.find(topology_.name(below));
  if (physical) add(physical);
}

std::vector<std::size_t> Network::uplinks_of(host::HostId host) const {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < uplink_elements_.size(); ++i) {
    if (topology_.enclosing(hosts_.element(host), topology_.kind(uplink_elements_[i])) == uplink_elements_[i]) result.push_back(i);
  }
  return result;
}

void Network::add_path(host::HostId from, host::HostId to, Links& links) {
  if (from == to) return;
  const std::vector<std::size_t> ups = uplinks_of(from);
  const std::vector<std::size_t> downs = uplinks_of(to);
  add_cards(from, true, links);
  for (const std::size_t up : ups) {
    if (std::find(downs.begin(), downs.end(), up) == downs.end()) links.push_back(uplinks_[up].out);
  }
  for (const std::size_t down : downs) {
    if (std::find(ups.begin(), ups.end(), down) == ups.end()) links.push_back(uplinks_[down].in);
  }
  add_cards(to, false, links);
}

void Network::add_path_from_outside(host::HostId to, Links& links) {
  // A link without a limit would only tie flows together that have nothing to do with each other.
  if (config_.internet_bytes_per_second < SharedBandwidth::kNoLimit) links.push_back(internet_.in);
  for (const std::size_t down : uplinks_of(to)) links.push_back(uplinks_[down].in);
  add_cards(to, false, links);
}

void Network::set_standing(host::HostId host, Way way, double bytes_per_second) {
  Standing& one = standing_[{host, way}];
  if (one.wants == bytes_per_second) return;
  bandwidth_.cancel(one.flow);
  one.flow = {};
  one.wants = bytes_per_second;
  if (bytes_per_second <= 0.0) return;
  constexpr double kForEver = 1e30;  // bytes
  Links links;
  add_cards(host, way == Way::kOut, links);
  one.flow = bandwidth_.start(links, kForEver, nullptr, bytes_per_second);
}

double Network::standing(host::HostId host, Way way) {
  const auto found = standing_.find({host, way});
  return found == standing_.end() || found->second.wants <= 0.0 ? 0.0 : bandwidth_.rate(found->second.flow);
}

void Network::make_unique(Links& links) {
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
}

}  // namespace sim::network
