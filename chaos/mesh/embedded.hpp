/// What a Schedule or a template of a Workflow holds: the spec of some kind of chaos, under the key of that kind.
#pragma once

#include <memory>
#include <string>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/resource.hpp"

namespace chaos::mesh {

struct Embedded {
  std::shared_ptr<const Spec> spec;
  std::string key;  // "podChaos"; empty: nothing is given
  Node node;
};

/// Reads one; more than one is an error.
bool read_embedded(const Kind& kind, Node node, Embedded& to, Reader& reader);

/// A key for each kind that can stand there.
template <class T>
void describe_embedded(Fields<T>& fields, Embedded T::*member, bool with_workflow) {
  for (const char* name : {"PodChaos", "NetworkChaos", "StressChaos", "IOChaos", "TimeChaos", "DNSChaos", "HTTPChaos", "BlockChaos", "KernelChaos", "JVMChaos", "AWSChaos", "GCPChaos", "AzureChaos", "PhysicalMachineChaos", "Workflow"}) {
    if (std::string_view(name) == "Workflow" && !with_workflow) continue;
    // The list of kinds is being made when this is asked for its fields: the kind is looked up when it is read.
    std::string key(name);
    key[0] = static_cast<char>(key[0] - 'A' + 'a');
    if (key == "iOChaos") key = "ioChaos";
    if (key == "dNSChaos") key = "dnsChaos";
    if (key == "hTTPChaos") key = "httpChaos";
    if (key == "jVMChaos") key = "jvmChaos";
    if (key == "aWSChaos") key = "awsChaos";
    if (key == "gCPChaos") key = "gcpChaos";
    if (key == "physicalMachineChaos") key = "physicalmachineChaos";
    fields.custom(key, TypeInfo{.kind = TypeInfo::Kind::kObject}, std::string("The spec of a ") + name + ".",
                  [member, name = std::string(name)](Node node, T& to, Reader& reader) { return read_embedded(*find_kind(name), node, to.*member, reader); });
  }
}

/// The words of `type` and `templateType` that name such a kind.
std::vector<std::pair<std::string, std::string>> embedded_types(bool with_workflow);
/// `type` and what is given fit together.
void check_embedded(const Embedded& embedded, std::string_view type, Node node, Reader& reader);
/// ... and in a Workflow a deadline stands for the duration.
bool has_duration(const Embedded& embedded);

}  // namespace chaos::mesh
