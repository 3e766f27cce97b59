/// What an impaired network makes of a TCP connection: closed forms, no packets.
///
/// Source:     netem(8): each packet is lost, or delayed by latency +- jitter (uniform), by a random number that is a mix of the last one (correlation) and a new
///             one. RFC 6298 and Linux (TCP_TIMEOUT_INIT 1 s, TCP_RTO_MIN 200 ms): what is lost is sent again after 1, 2, 4 ... s while connecting, 0.2, 0.4,
///             0.8 ... s afterwards. M. Mathis and others, "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm", CCR 27(3), 1997:
///             rate = MSS / RTT * sqrt(3/2) / sqrt(p).
/// Leaves out: runs of losses that a correlation makes (it changes how many are lost, as in netem); fast retransmit, selective acknowledgements, TLS.
/// Checked by: tests/models/pod_network_test.cpp.
#pragma once

#include "sim/core/time.hpp"

namespace sim::network {

/// The share of packets that netem really loses, when told to lose `share` with a correlation (both 0 to 1): x = r * last + (1 - r) * u falls below `share` less often
/// (or more often, above one half) than u does.
double netem_share(double share, double correlation);

/// One request and its answer over a new connection, as a prober makes it: SYN and SYN-ACK, request, answer.
struct RoundTrip {
  double loss_there = 0.0;    // share of packets
  double loss_back = 0.0;
  SimDuration delay{};        // added to one round trip, mean
  SimDuration jitter{};       // +- so much of it, uniform
};
/// The chance that no answer is there within `timeout`.
double fails_within(const RoundTrip& path, SimDuration timeout);

/// A message over a connection that is in use, sent again after 0.2, 0.4, 0.8 ... s, at most 120 s (TCP_RTO_MAX), until it and its acknowledgement get through.
/// How often it was sent when it has waited so long; and after how long so many losses in a row end.
int sendings_within(SimDuration span);
SimDuration stall_after(int losses);
/// The chance that it takes longer than `span`.
double stalls_longer_than(const RoundTrip& path, SimDuration span);

/// Bytes a second that one connection carries at most; infinite without loss or without a round trip.
double tcp_bytes_per_second(SimDuration round_trip, double loss);

}  // namespace sim::network
