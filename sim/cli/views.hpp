/// An instant of a world in the words of kubectl and ceph: what `squall query` and `squall replay` show.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sim {
class World;
}
namespace chaos::mesh {
struct ObjectView;
}

namespace cli {

struct View {
  std::string text;
  std::string note;  // for stderr
};

/// What is wrong with the words that ask for a view ("pods"; "ceph", "osd", "tree"); empty when nothing is.
std::string view_problem(const std::vector<std::string>& words, bool has_ceph, bool has_monitoring);
/// Needs words that view_problem() finds nothing wrong with. `name_space`: empty for all; `chaos_objects`: chaos::chaos_objects().
View view_of(sim::World& world, std::int64_t start_unix_seconds, const std::vector<std::string>& words, const std::string& name_space,
             const std::vector<chaos::mesh::ObjectView>& chaos_objects, bool json);

}  // namespace cli
