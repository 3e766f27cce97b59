/// A string of a file with its place, for what is checked later (paths, names of other things).
#pragma once

#include <string>

#include "sim/scenario/diagnostic.hpp"

namespace sim::scenario {

struct Reference {
  std::string text;
  Place where;
};

}  // namespace sim::scenario
