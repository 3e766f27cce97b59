#include "sim/scenario/dump/recordings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

namespace sim::scenario::dump {

namespace {

/// One value after the other; every length is held against what is left.
class MessagePack {
 public:
  explicit MessagePack(std::string_view bytes) : bytes_(bytes) {}

  bool whole(std::string& to, std::string& problem) {
    const bool good = value(to, 0) && at_ == bytes_.size();
    if (!good) problem = fmt::format("{} at byte {}", problem_.empty() ? "something stands behind the end" : problem_, at_);
    return good;
  }

 private:
  static constexpr std::size_t kDepthMax = 100;
  static constexpr std::size_t kJsonBytesMax = 1u << 30;

  bool fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  bool number(std::size_t size, std::uint64_t& to) {
    if (bytes_.size() - at_ < size) return fail("it is cut off");
    to = 0;
    for (std::size_t i = 0; i < size; ++i) to = to << 8 | static_cast<unsigned char>(bytes_[at_ + i]);
    at_ += size;
    return true;
  }
  bool text(std::uint64_t size, std::string& to) {
    if (bytes_.size() - at_ < size) return fail("it is cut off");
    to += '"';
    for (const char c : bytes_.substr(at_, size)) {
      if (c == '"' || c == '\\') {
        to += '\\';
        to += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        to += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else {
        to += c;
      }
    }
    to += '"';
    at_ += size;
    return true;
  }
  bool list(std::uint64_t count, std::string& to, std::size_t depth) {
    if (count > bytes_.size() - at_) return fail("it is cut off");
    to += '[';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0) to += ',';
      if (!value(to, depth + 1)) return false;
    }
    to += ']';
    return true;
  }
  bool map(std::uint64_t count, std::string& to, std::size_t depth) {
    if (count > bytes_.size() - at_) return fail("it is cut off");
    to += '{';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0) to += ',';
      std::string key;
      if (!value(key, depth + 1)) return false;
      if (key.front() == '"') {
        to += key;
      } else {
        to += '"';
        for (const char c : key) {
          if (c == '"' || c == '\\') to += '\\';
          to += c;
        }
        to += '"';
      }
      to += ':';
      if (!value(to, depth + 1)) return false;
    }
    to += '}';
    return true;
  }

  bool value(std::string& to, std::size_t depth) {
    if (depth > kDepthMax) return fail("it is nested too deeply");
    if (to.size() > kJsonBytesMax) return fail("it is too large");
    std::uint64_t head = 0;
    if (!number(1, head)) return false;
    std::uint64_t n = 0;
    const auto sized = [&](std::size_t bytes) { return number(bytes, n); };
    if (head < 0x80) {
      to += std::to_string(head);
      return true;
    }
    if (head < 0x90) return map(head & 0x0f, to, depth);
    if (head < 0xa0) return list(head & 0x0f, to, depth);
    if (head < 0xc0) return text(head & 0x1f, to);
    if (head >= 0xe0) {
      to += std::to_string(static_cast<std::int64_t>(head) - 256);
      return true;
    }
    switch (head) {
      case 0xc0: to += "null"; return true;
      case 0xc2: to += "false"; return true;
      case 0xc3: to += "true"; return true;
      case 0xc4:
      case 0xd9: return sized(1) && text(n, to);
      case 0xc5:
      case 0xda: return sized(2) && text(n, to);
      case 0xc6:
      case 0xdb: return sized(4) && text(n, to);
      case 0xca: {
        if (!sized(4)) return false;
        float real = 0;
        const auto bits = static_cast<std::uint32_t>(n);
        std::memcpy(&real, &bits, sizeof real);
        return floating(static_cast<double>(real), to);
      }
      case 0xcb: {
        if (!sized(8)) return false;
        double real = 0;
        std::memcpy(&real, &n, sizeof real);
        return floating(real, to);
      }
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        if (!sized(std::size_t{1} << (head - 0xcc))) return false;
        to += std::to_string(n);
        return true;
      case 0xd0:
        if (!sized(1)) return false;
        to += std::to_string(static_cast<std::int8_t>(n));
        return true;
      case 0xd1:
        if (!sized(2)) return false;
        to += std::to_string(static_cast<std::int16_t>(n));
        return true;
      case 0xd2:
        if (!sized(4)) return false;
        to += std::to_string(static_cast<std::int32_t>(n));
        return true;
      case 0xd3:
        if (!sized(8)) return false;
        to += std::to_string(static_cast<std::int64_t>(n));
        return true;
      case 0xdc: return sized(2) && list(n, to, depth);
      case 0xdd: return sized(4) && list(n, to, depth);
      case 0xde: return sized(2) && map(n, to, depth);
      case 0xdf: return sized(4) && map(n, to, depth);
      default: return fail(fmt::format("a value of the type 0x{:02x}, which is not read", head));
    }
  }
  bool floating(double real, std::string& to) {
    if (!std::isfinite(real)) return fail("a number that is not finite");
    to += fmt::format("{}", real);
    return true;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string problem_;
};

}  // namespace

std::string messagepack_to_json(std::string_view bytes, std::string& problem) {
  std::string json;
  MessagePack reader(bytes);
  return reader.whole(json, problem) ? json : std::string();
}

bool is_simkube_trace(std::string_view text) {
  // A map of a few keys, the first of which is "version" (a string of seven bytes), or which says so further on.
  if (text.empty()) return false;
  const auto head = static_cast<unsigned char>(text[0]);
  const bool is_map = (head >= 0x80 && head < 0x90) || head == 0xde;
  return is_map && text.substr(0, 64).find("version") != std::string_view::npos;
}

Trace read_simkube_trace(const std::string& name, std::string_view text, Diagnostics& diagnostics) {
  Trace trace;
  std::string problem;
  std::string json = messagepack_to_json(text, problem);
  if (json.empty()) {
    diagnostics.error_in(name, fmt::format("is a broken SimKube trace: {}", problem));
    return trace;
  }
  trace.document = load_text(name + ".json", std::move(json), diagnostics);
  if (diagnostics.has_errors()) return trace;
  const Node root = trace.document->root();
  if (root.find("version").as_integer() != 2) {
    diagnostics.error_in(name, fmt::format("is a SimKube trace of version {}", root.find("version").text())).expected = "version 2";
    return trace;
  }
  const Node events = root.find("events");
  std::optional<std::int64_t> first;
  for (std::size_t i = 0; events.is_sequence() && i < events.size(); ++i) {
    const Node event = events.item(i);
    const std::optional<std::int64_t> ts = event.find("ts").as_integer();
    constexpr std::int64_t kYear = 366ll * 86'400;
    if (!ts || (first && (*ts < *first || *ts - *first > 100 * kYear))) {
      diagnostics.error_in(name, fmt::format("event {} has no time, or one before the first", i));
      return trace;
    }
    if (!first) first = ts;
    const SimDuration at = std::chrono::seconds(*ts - *first);
    trace.length = std::max(trace.length, at);
    for (const auto& [key, is_deletion] : {std::pair{"applied_objs", false}, std::pair{"deleted_objs", true}}) {
      const Node objects = event.find(key);
      for (std::size_t o = 0; objects.is_sequence() && o < objects.size(); ++o) trace.events.push_back(TraceEvent{at, is_deletion, objects.item(o)});
    }
  }
  const Node lifecycles = root.find("pod_lifecycles");
  for (std::size_t i = 0; lifecycles.is_map() && i < lifecycles.size(); ++i) trace.lifecycles += std::max<std::size_t>(1, lifecycles.value(i).size());
  return trace;
}

bool is_openb_list(std::string_view text) { return text.starts_with("sn,cpu_milli,") || text.starts_with("name,cpu_milli,"); }

std::string openb_to_yaml(const std::string& name, std::string_view text, Diagnostics& diagnostics) {
  const auto split = [](std::string_view line) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t stop = std::min(line.find(',', at), line.size());
      words.push_back(line.substr(at, stop - at));
      at = stop + 1;
    }
    return words;
  };
  std::string yaml;
  std::vector<std::string_view> columns;
  std::uint32_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t stop = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, stop - at);
    at = stop + 1;
    ++number;
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::vector<std::string_view> words = split(line);
    if (columns.empty()) {
      columns = words;
      continue;
    }
    bool good = words.size() == columns.size();
    const auto word = [&](std::string_view column) {
      const auto found = std::find(columns.begin(), columns.end(), column);
      return found == columns.end() || !good ? std::string_view{} : words[static_cast<std::size_t>(found - columns.begin())];
    };
    const auto amount = [&](std::string_view column) {
      const std::string_view digits = word(column);
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      constexpr std::int64_t kMax = 1ll << 40;
      if (error != std::errc{} || end != digits.data() + digits.size() || value < 0 || value > kMax) good = false;
      return value;
    };
    const bool is_node = columns.front() == "sn";
    const std::int64_t cpu = amount("cpu_milli");
    const std::int64_t memory = amount("memory_mib");
    const std::int64_t gpus = amount(is_node ? "gpu" : "num_gpu");
    const std::string_view object = words.front();
    good = good && !object.empty() && object.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string_view::npos;
    if (!good) {
      Diagnostic wrong;
      wrong.file = name;
      wrong.line = number;
      wrong.column = 1;
      wrong.message = "is no row of an openb list";
      wrong.expected = fmt::format("{} values under {}", columns.size(), fmt::join(columns, ","));
      wrong.source_line = std::string(line);
      diagnostics.add(std::move(wrong));
      continue;
    }
    yaml += "---\napiVersion: v1\n";
    if (is_node) {
      yaml += fmt::format("kind: Node\nmetadata:\n  name: {}\n", object);
      if (!word("model").empty()) yaml += fmt::format("  labels:\n    alibabacloud.com/gpu-card-model: '{}'\n", word("model"));
      yaml += fmt::format("status:\n  capacity:\n    cpu: {}m\n    memory: {}Mi\n    pods: '1000'\n", cpu, memory);
      if (gpus > 0) yaml += fmt::format("    nvidia.com/gpu: '{}'\n", gpus);
      continue;
    }
    yaml += fmt::format("kind: Pod\nmetadata:\n  name: {}\n  namespace: default\n", object);
    if (!word("qos").empty()) yaml += fmt::format("  labels:\n    qos: '{}'\n", word("qos"));
    yaml += "spec:\n";
    if (!word("gpu_spec").empty() && gpus > 0) {
      yaml += "  affinity:\n    nodeAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n        - matchExpressions:\n"
              "          - key: alibabacloud.com/gpu-card-model\n            operator: In\n            values:\n";
      for (std::size_t from = 0; from <= word("gpu_spec").size();) {
        const std::size_t end = std::min(word("gpu_spec").find('|', from), word("gpu_spec").size());
        yaml += fmt::format("            - '{}'\n", word("gpu_spec").substr(from, end - from));
        from = end + 1;
      }
    }
    yaml += fmt::format("  containers:\n  - name: main\n    image: openb\n    resources:\n      requests:\n        cpu: {}m\n        memory: {}Mi\n", cpu, memory);
    if (gpus > 0) yaml += fmt::format("        nvidia.com/gpu: '{0}'\n      limits:\n        nvidia.com/gpu: '{0}'\n", gpus);
  }
  return yaml;
}

}  // namespace sim::scenario::dump
