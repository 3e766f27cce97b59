/// A page of analysis/assets with the common style and its data put in: one self-contained file.
#pragma once

#include <string>
#include <string_view>

namespace analysis {

/// `json` stands in a <script> element of the page.
std::string page_with_data(std::string_view page, std::string_view json);

}  // namespace analysis
