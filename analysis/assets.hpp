/// The pages of analysis/assets/, made part of the program by the build (see cmake/embed.cmake).
#pragma once

#include <string_view>

namespace analysis::assets {

std::string_view report_html();
std::string_view compare_html();
std::string_view plan_html();
std::string_view page_css();

}  // namespace analysis::assets
