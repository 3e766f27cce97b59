/// From dumps of a cluster (`kubectl get ... -o yaml|json`, helm template) to a scenario whose first second is the cluster's state.
///
/// Objects are cut down to what the models read; the rest is counted by field and told. Objects of kinds that are not simulated are left out and told. What
/// the dump names but does not hold is made up where that is safe: the ReplicaSet between a Deployment and its pods, the owner of pods from the pods
/// themselves, a PriorityClass from the pods' priority. An object that the reader of manifests would refuse is left out with the reason, so that the
/// scenario can always be read.
///
/// Source:     reference kubernetes 2 (owners, pod-template-hash, controller-revision-hash), 4.12.
/// Leaves out: ages (everything is as old as the run), pods that are being deleted (they start as if they were not), back-off of containers that crash.
/// Checked by: tests/scenario/dump_test.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/dump/report.hpp"

namespace sim::scenario::dump {

struct ImportOptions {
  std::string name;            // of the scenario
  bool keep_all = false;       // also fields that nothing simulated reads, but for managedFields
  /// Machines for dumps without nodes: YAML of `pools`, checked by the reader of scenarios.
  std::string pools;
  /// Objects of up to so many bytes stand in the scenario itself, more in files beside it.
  std::size_t inline_bytes = 512u << 10;
};

/// One file to write. The scenario is the last one.
struct OutputFile {
  std::string name;  // without folder
  std::string content;
};

class Importer {
 public:
  Importer(ImportOptions options, Diagnostics& diagnostics);
  ~Importer();
  Importer(const Importer&) = delete;
  Importer& operator=(const Importer&) = delete;

  /// One text of any of the known formats.
  void read(const std::string& name, std::string_view text);
  /// One page of a list of a live API server, which `source` names.
  void read_page(const std::string& source, const std::string& path, std::string_view text);
  /// A list that a live API server did not give: "/api/v1/secrets: 403 Forbidden".
  void not_had(const std::string& list);
  /// The files, in the order in which to write them. Empty when something is wrong with the input.
  std::vector<OutputFile> finish();
  const Report& report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::scenario::dump
