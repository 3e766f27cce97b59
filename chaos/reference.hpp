/// docs/faults.md and docs/expectations.md, from the lists of fields that also read the scenario. A test holds the files against this.
#pragma once

#include <string>

namespace chaos {

std::string faults_reference();
std::string expectations_reference();

}  // namespace chaos
