#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

std::vector<Json> row(const Json& event, Now now) {
  const Json& about = event.at("involvedObject");
  const auto or_else = [](const Json& a, const Json& b) { return a.is_null() ? b : a; };
  std::string object = about.at("kind").text();
  for (char& c : object) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  object += "/" + about.at("name").text();
  const Json first = or_else(event.at("firstTimestamp"), event.at("eventTime"));
  std::string last = event.at("lastTimestamp").is_null() ? age(first, now) : age(event.at("lastTimestamp"), now);
  if (!event.at("series").is_null()) last = age(event.at({"series", "lastObservedTime"}), now);
  std::int64_t count = event.at("count").as_integer(1);
  if (!event.at("series").is_null()) count = event.at({"series", "count"}).as_integer(count);
  const std::string& component = event.at({"source", "component"}).text();
  std::string source = component.empty() ? event.at("reportingComponent").text() : component;
  if (!event.at({"source", "host"}).text().empty()) source += ", " + event.at({"source", "host"}).text();
  return {last, event.at("type").text(), event.at("reason").text(), object, about.at("fieldPath").text(), source, event.at("message").text(), age(first, now), count == 0 ? 1 : count,
          event.at({"metadata", "name"}).text()};
}

}  // namespace

KindRules event_rules() {
  return {"", "Event", nullptr, nullptr, nullptr,
          {{"Last Seen"}, {"Type"}, {"Reason"}, {"Object"}, {"Subobject", "string", "", 1}, {"Source", "string", "", 1}, {"Message"}, {"First Seen", "string", "", 1}, {"Count", "integer", "", 1},
           {"Name", "string", "name", 1}},
          row};
}

}  // namespace sim::loop
