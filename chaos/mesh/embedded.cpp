#include "chaos/mesh/embedded.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace chaos::mesh {

bool read_embedded(const Kind& kind, Node node, Embedded& to, Reader& reader) {
  if (!to.key.empty()) {
    reader.diagnostics.error(node, fmt::format("'{}' stands beside '{}': one of them", kind.key, to.key));
    return false;
  }
  to.key = kind.key;
  to.node = node;
  if (!kind.is_modelled) {
    std::string lower = kind.name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    reader.diagnostics.error(node, fmt::format("{}{}: {}", kNotModelled, lower, kind.doc.substr(kNotModelled.size())));
    kind.read(node, reader);
    return false;
  }
  to.spec = kind.read(node, reader);
  return to.spec != nullptr;
}

std::vector<std::pair<std::string, std::string>> embedded_types(bool with_workflow) {
  std::vector<std::pair<std::string, std::string>> words;
  for (const char* name : {"PodChaos", "NetworkChaos", "StressChaos", "IOChaos", "TimeChaos", "DNSChaos", "HTTPChaos", "BlockChaos", "KernelChaos", "JVMChaos", "AWSChaos", "GCPChaos", "AzureChaos", "PhysicalMachineChaos"}) {
    words.emplace_back(name, name);
  }
  if (with_workflow) words.emplace_back("Workflow", "Workflow");
  return words;
}

void check_embedded(const Embedded& embedded, std::string_view type, Node node, Reader& reader) {
  const Kind* kind = find_kind(type);
  if (kind == nullptr) return;
  if (embedded.key.empty()) reader.diagnostics.error(node, fmt::format("type {} needs '{}'", type, kind->key));
  else if (embedded.key != kind->key) reader.diagnostics.error(embedded.node, fmt::format("type {} has no '{}', it has '{}'", type, embedded.key, kind->key));
}

bool has_duration(const Embedded& embedded) {
  const auto* chaos = dynamic_cast<const ChaosSpec*>(embedded.spec.get());
  return chaos != nullptr && chaos->duration.has_value();
}

}  // namespace chaos::mesh
