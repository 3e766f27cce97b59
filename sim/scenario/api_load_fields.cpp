#include "sim/scenario/api_load_fields.hpp"

namespace sim::scenario {

void describe(Fields<k8s::api_load::Config>& fields) {
  using C = k8s::api_load::Config;
  TypeInfo clients = Codec<k8s::api_load::ClientGroup>::type();
  clients.kind = TypeInfo::Kind::kNamed;
  fields.title("What requests cost the API servers. Single requests are simulated while a fault api-overload floods them, and not before.")
      .add("maxRequestsInflight", &C::max_requests_inflight, 0, 1'000'000, "--max-requests-inflight. With the next one: the seats of a server that priority and fairness divides.")
      .add("maxMutatingRequestsInflight", &C::max_mutating_requests_inflight, 0, 1'000'000, "--max-mutating-requests-inflight.")
      .add("cpuCores", &C::cpu_cores, 0.0, 10'000.0, "Cores that one API server may use; 0: its machine's.")
      .bytes("memory", &C::memory_bytes, "At which the kernel kills an API server; 0: four fifths of its machine's memory.")
      .add("streamsLists", &C::streams_lists, "Lists from the watch cache are encoded object by object (Kubernetes 1.33 and later). false: as a whole, in memory.")
      .add("requestCpu", &C::request_cpu, "CPU time of a request beside its objects.")
      .bytes_per_second("listBytesPerCpuSecond", &C::list_bytes_per_cpu_second, "Bytes of a list that one core reads, encodes and compresses in a second.")
      .bytes("objectSize", &C::object_bytes, "Mean size of an object.")
      .bytes("baseMemory", &C::base_memory_bytes, "What an API server takes without requests: its caches; at most half of what it may have.")
      .add("listMemoryFactor", &C::list_memory_factor, 1.0, 100.0, "Memory of a list that is not streamed, as a multiple of its objects' bytes.")
      .custom("clients", clients, "Clients that are always there, by name: who uses the API beside Kubernetes' own components.",
              [](Node node, C& to, Reader& reader) { return read_named(node, to.clients, "group of clients", reader); })
      .rule([](const C& c, Node node, Reader& reader) {
        if (c.max_requests_inflight + c.max_mutating_requests_inflight <= 0) reader.diagnostics.error(node, "maxRequestsInflight and maxMutatingRequestsInflight must not both be 0");
        if (c.list_bytes_per_cpu_second <= 0.0) reader.diagnostics.error(node.find("listBytesPerCpuSecond"), "must be more than 0");
        if (c.object_bytes <= 0) reader.diagnostics.error(node.find("objectSize"), "must be more than 0");
        if (c.object_bytes > k8s::api_load::kObjectBytesMax) reader.diagnostics.error(node.find("objectSize"), "an object of more than 16Mi is more than etcd takes");
        if (c.memory_bytes > 0 && c.memory_bytes <= c.base_memory_bytes) reader.diagnostics.error(node, "memory must be more than baseMemory");
      });
}

}  // namespace sim::scenario
