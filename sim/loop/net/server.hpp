/// The network edge: HTTP/1.1 over TLS on one thread. It hands requests over and takes answers back by queues; the simulation never waits for a client.
///
/// Bounds: sizes of headers and bodies, connections, requests that wait for their answer, idle time, and the bytes that a watch may lie behind: who
/// does not read is cut off, and nobody else notices.
///
/// Source:     RFC 9112; Boost.Beast.
/// Leaves out: HTTP/2, compression, client certificates, upgrades (exec, port-forward).
/// Checked by: tests/loop/kubectl.py.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/loop/net/certificates.hpp"
#include "sim/loop/rest/http.hpp"

namespace sim::loop {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;        // 0: any
  std::uint16_t first_port = 0;  // with port 0: the first free one from here; 0: the kernel's choice
  Certificates certificates;
  std::size_t body_max = 3u << 20;      // as kube-apiserver
  std::uint32_t header_max = 64u << 10;
  std::size_t connections_max = 4096;
  std::size_t waiting_max = 2000;
  std::size_t watch_backlog_max = 64u << 20;
  std::chrono::seconds idle_max{300};
  std::chrono::seconds handshake_max{10};
  bool own_thread = true;  // false: the caller's, by poll() and wait()
};

class Server {
 public:
  /// A request that wants an answer, or the end of a watch.
  struct Incoming {
    std::uint64_t id = 0;
    bool closed = false;  // the watch of that id is over
    Request request;
    std::string token;  // of "Authorization: Bearer"
  };
  explicit Server(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens and starts the thread; the reason when it cannot.
  std::string start();
  void stop();
  std::uint16_t port() const;

  // For the thread that owns the simulation.
  /// What has come since; waits up to `wait` for the first one.
  std::vector<Incoming> take(std::chrono::nanoseconds wait);
  /// Wakes take().
  void wake();
  /// The end of a watch: what it was sent is written out, then it is closed.
  void finish(std::uint64_t id);
  void answer(std::uint64_t id, Response response);
  /// More of a watch; false: the client is gone, or too slow.
  bool send(std::uint64_t id, std::string frame);
  /// Bytes that clients have not taken yet, and requests that wait: 0 when nothing is in flight.
  std::size_t in_flight() const;

  // Without a thread of its own.
  /// Reads and writes what can be read and written; false: nothing.
  bool poll();
  /// Blocks until poll() has something to do, one of `descriptors` is readable, or the time is over.
  void wait(std::chrono::nanoseconds longest, const std::vector<int>& descriptors);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::loop
