#include "analysis/text_layout.hpp"

#include <fmt/format.h>

namespace analysis {

std::string instant(sim::SimTime time) {
  const std::int64_t whole = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  if (whole < 60) return sim::humanize(time.time_since_epoch());
  const std::int64_t days = whole / 86'400;
  const std::int64_t hours = whole / 3'600 % 24;
  const std::int64_t minutes = whole / 60 % 60;
  if (days > 0) return fmt::format("{}d {:02}h {:02}m", days, hours, minutes);
  if (hours > 0) return fmt::format("{}h {:02}m {:02}s", hours, minutes, whole % 60);
  return fmt::format("{}m {:02}s", minutes, whole % 60);
}

std::string cut(std::string_view content, std::size_t width) {
  std::size_t columns = 0;
  std::size_t last = 0;  // where the character begins that gives way to the ellipsis
  for (std::size_t i = 0; i < content.size(); ++i) {
    if ((static_cast<unsigned char>(content[i]) & 0xC0) == 0x80) continue;
    if (++columns > width) return std::string(content.substr(0, last)) + "…";
    last = i;
  }
  return std::string(content);
}

std::string measure_line(const chaos::Measure& measure) {
  return fmt::format("{} {} {}, measured {}", measure.name, chaos::to_string(measure.comparison),
                     chaos::format_figure(measure.unit, measure.bound), chaos::format_figure(measure.unit, measure.measured));
}

std::string contributing_line(const chaos::CauseStep& also, std::string_view fault, std::size_t width) {
  constexpr std::size_t kLeast = 20;
  const std::string from = also.fault.empty() || also.fault == fault ? "" : fmt::format("  ← {}", also.fault);
  const std::string name = also.subject.substr(also.subject.rfind('/') + 1);  // all of it where there is no '/'
  const bool is_named = also.message.find(name) != std::string::npos;
  const std::string what = also.message.empty() ? fmt::format("{} {}", also.kind, also.subject) : is_named ? also.message : fmt::format("{}: {}", also.subject, also.message);
  return cut(what, width > from.size() + kLeast ? width - from.size() : kLeast) + from;
}

}  // namespace analysis
