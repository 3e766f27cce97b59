/// Reads what a live API server holds, as kubectl would list it: the lists of every kind that a scenario can take over, page by page.
///
/// Nothing is written to the cluster. Bounds: 30 s for each answer, 256 MiB for each page.
///
/// Source:     RFC 9112; kubernetes chunked lists (limit, continue); client-go tools/clientcmd (kubeconfig v1).
/// Leaves out: exec and auth-provider plugins (refused by name: `kubectl get ... | squall import -` has them), HTTP proxies, impersonation.
/// Checked by: tests/cli/import_command.py.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/scenario/diagnostic.hpp"

namespace sim::loop {

/// What of a kubeconfig concerns one cluster.
struct ClusterAccess {
  bool is_tls = true;
  std::string host;
  std::string port;
  std::string base;         // path before /api, mostly empty
  std::string server_name;  // the certificate is to be for
  bool verifies = true;
  std::string ca;           // PEM; empty: what the system trusts
  std::string certificate;  // PEM, of the client; empty: none
  std::string key;
  std::string authorization;  // value of the header; empty: none
};

/// Empty `context`: the current one. With errors in `diagnostics` the answer is worth nothing.
ClusterAccess read_kubeconfig(const std::string& path, const std::string& context, scenario::Diagnostics& diagnostics);

struct ClusterReading {
  std::vector<std::string> refused;  // "/api/v1/pods: 403 Forbidden": lists that were not had
  std::string error;                 // why nothing more could be read; empty: all was read
  std::uint64_t bytes = 0;
};
/// Calls `sink` with the text of each page. `stop` ends it early.
ClusterReading read_cluster(const ClusterAccess& access, const std::function<void(const std::string& path, const std::string& text)>& sink,
                            const std::function<void(std::size_t done, std::size_t total, const std::string& path)>& progress, const std::atomic<bool>& stop);

}  // namespace sim::loop
