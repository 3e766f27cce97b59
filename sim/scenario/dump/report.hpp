/// What an import took over, made up, and could not take over.
///
/// Checked by: tests/scenario/dump_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/scenario/dump/object_writer.hpp"

namespace sim::scenario::dump {

struct Report {
  /// Something of which there may be many: how often, and where it stood first.
  struct Note {
    std::string what;
    std::string why;
    std::uint64_t count = 0;
    std::string first;  // "shop/web-0" or a place in a file
  };
  std::vector<std::string> sources;
  std::map<std::string, std::uint64_t> taken;          // objects by kind
  std::map<std::string, std::uint64_t> pods_by_phase;
  std::vector<Note> made;                              // objects that the dump names but does not hold
  std::vector<Note> changed;                           // values that differ from the cluster's when the run begins
  std::vector<Note> objects_left_out;                  // by kind and reason
  std::vector<Note> fields_not_simulated;              // they would change what happens
  std::map<std::string, std::uint64_t> derived;        // kinds that the simulated cluster makes anew
  std::map<std::string, std::uint64_t> without_effect; // kinds that nothing simulated reads
  FieldCounts fields_without_effect;                   // fields that nothing simulated reads

  /// Adds one to the note of that text.
  static void note(std::vector<Note>& list, std::string_view what, std::string_view why, const std::string& first);
  /// Nothing that could bear on what the run shows is missing.
  bool is_complete() const { return changed.empty() && objects_left_out.empty() && fields_not_simulated.empty(); }
};

std::string report_text(const Report& report);
std::string report_json(const Report& report, const std::vector<std::string>& files);
/// The same in short, as comment lines of the scenario.
std::string report_comment(const Report& report);

}  // namespace sim::scenario::dump
