#include "analysis/page.hpp"

#include "analysis/assets.hpp"
#include "sim/core/check.hpp"

namespace analysis {

namespace {

void put(std::string& page, std::string_view placeholder, std::string_view text) {
  const std::size_t place = page.find(placeholder);
  SIM_CHECK(place != std::string::npos, "each page of analysis/assets has both placeholders");
  page.replace(place, placeholder.size(), text);
}

}  // namespace

std::string page_with_data(std::string_view page, std::string_view json) {
  std::string result(page);
  put(result, "/*SQUALL-STYLE*/", assets::page_css());
  // No '<' may remain inside a <script> element, or "</script>" in a pod's message would end it.
  std::string data;
  data.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      data += "\\u003c";
    } else {
      data += c;
    }
  }
  put(result, "/*SQUALL-DATA*/", data);
  return result;
}

}  // namespace analysis
