/// docs/chaos-mesh.md: what is modelled and what is refused, field by field, from the readers themselves.
#pragma once

#include <string>

namespace chaos::mesh {

std::string reference();

}  // namespace chaos::mesh
