#include "analysis/shard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "analysis/atomic_file.hpp"
#include "analysis/json_text.hpp"
#include "sim/core/hash.hpp"

namespace analysis {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;
using Value = rapidjson::Value;

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= left ? kDigits[word >> (18 - 6 * k) & 63u] : '=';
  }
  return out;
}

bool from_base64(std::string_view text, std::string& bytes) {
  if (text.size() % 4 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t word = 0;
    std::size_t padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const char* digit = c == '\0' ? nullptr : std::strchr(kDigits, c);
      if (c == '=' && i + 4 == text.size() && k >= 2) {
        ++padding;
      } else if (digit == nullptr || padding > 0) {
        return false;
      }
      word = word << 6 | (digit == nullptr ? 0u : static_cast<std::uint32_t>(digit - kDigits));
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) bytes += static_cast<char>(word >> (16 - 8 * k) & 255u);
  }
  return true;
}

std::string line_of(const rapidjson::StringBuffer& buffer) { return {buffer.GetString(), buffer.GetSize()}; }

std::string header_line(const ShardFile& shard) {
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.StartObject();
  field(writer, "squallShard", std::int64_t{kShardVersion});
  field(writer, "program", shard.job.program);
  field(writer, "command", shard.job.command);
  field(writer, "index", static_cast<std::uint64_t>(shard.shard.index));
  field(writer, "count", static_cast<std::uint64_t>(shard.shard.count));
  field(writer, "firstSeed", shard.job.first_seed);
  field(writer, "replications", shard.job.replications);
  field(writer, "confidence", shard.job.confidence);
  field(writer, "until", shard.job.until);
  key(writer, "set");
  writer.StartArray();
  for (const std::string& one : shard.job.overrides) text(writer, one);
  writer.EndArray();
  key(writer, "options");
  writer.StartArray();
  for (const std::string& one : shard.job.options) text(writer, one);
  writer.EndArray();
  key(writer, "scenarios");
  writer.StartArray();
  for (const JobDescription::Scenario& scenario : shard.job.scenarios) {
    writer.StartObject();
    field(writer, "name", scenario.name);
    field(writer, "description", scenario.description);
    field(writer, "file", scenario.file);
    field(writer, "inputs", fmt::format("{:016x}", scenario.inputs));
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return line_of(buffer);
}

/// Members of an object; a missing or wrong one is remembered.
class Members {
 public:
  explicit Members(const Value& value) : value_(value) {}
  std::string string(const char* name) {
    if (const Value* v = member(name); v != nullptr && v->IsString()) return {v->GetString(), v->GetStringLength()};
    wrong_ = true;
    return {};
  }
  std::uint64_t number(const char* name) {
    if (const Value* v = member(name); v != nullptr && v->IsUint64()) return v->GetUint64();
    wrong_ = true;
    return 0;
  }
  double real(const char* name) {
    if (const Value* v = member(name); v != nullptr && v->IsNumber()) return v->GetDouble();
    wrong_ = true;
    return 0;
  }
  std::uint64_t hex(const char* name) {
    const std::string digits = string(name);
    std::uint64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr != digits.data() + digits.size()) wrong_ = true;
    return number;
  }
  const Value* array(const char* name) {
    const Value* v = member(name);
    if (v != nullptr && v->IsArray()) return v;
    wrong_ = true;
    return nullptr;
  }
  bool wrong() const { return wrong_; }

 private:
  const Value* member(const char* name) const {
    if (!value_.IsObject()) return nullptr;
    const auto found = value_.FindMember(name);
    return found == value_.MemberEnd() ? nullptr : &found->value;
  }
  const Value& value_;
  bool wrong_ = false;
};

bool read_header(const Value& value, ShardFile& shard) {
  Members members(value);
  JobDescription& job = shard.job;
  job.program = members.string("program");
  job.command = members.string("command");
  shard.shard.index = members.number("index");
  shard.shard.count = members.number("count");
  job.first_seed = members.number("firstSeed");
  job.replications = members.number("replications");
  job.confidence = members.real("confidence");
  job.until = members.string("until");
  for (const auto& [name, to] : {std::pair("set", &job.overrides), std::pair("options", &job.options)}) {
    const Value* list = members.array(name);
    if (list == nullptr) return false;
    for (const Value& one : list->GetArray()) {
      if (!one.IsString()) return false;
      to->emplace_back(one.GetString(), one.GetStringLength());
    }
  }
  if (const Value* scenarios = members.array("scenarios")) {
    for (const Value& one : scenarios->GetArray()) {
      Members scenario(one);
      job.scenarios.push_back({scenario.string("name"), scenario.string("description"), scenario.string("file"), scenario.hex("inputs")});
      if (scenario.wrong()) return false;
    }
  }
  return !members.wrong() && shard.shard.index < shard.shard.count && !job.scenarios.empty();
}

/// A name below a folder: nothing that leads out of it.
bool is_harmless(const std::string& name) {
  const std::filesystem::path path(name);
  return !name.empty() && path.is_relative() && std::none_of(path.begin(), path.end(), [](const std::filesystem::path& part) { return part == ".." || part == "."; });
}

/// What of two jobs differs, for people.
std::string difference(const JobDescription& a, const JobDescription& b) {
  if (a.program != b.program) return fmt::format("written by {}, not {}", b.program, a.program);
  if (a.command != b.command) return fmt::format("of squall {}, not squall {}", b.command, a.command);
  if (a.first_seed != b.first_seed) return fmt::format("from seed {}, not {}", b.first_seed, a.first_seed);
  if (a.replications != b.replications) return fmt::format("of {} replications, not {}", b.replications, a.replications);
  if (a.confidence != b.confidence) return fmt::format("with {:g} % confidence, not {:g} %", b.confidence * 100.0, a.confidence * 100.0);
  if (a.until != b.until) return fmt::format("with --until '{}', not '{}'", b.until, a.until);
  if (a.overrides != b.overrides) return "with other --set";
  if (a.options != b.options) return fmt::format("with other options: '{}', not '{}'", fmt::join(b.options, " "), fmt::join(a.options, " "));
  if (a.scenarios.size() != b.scenarios.size()) return fmt::format("of {} scenarios, not {}", b.scenarios.size(), a.scenarios.size());
  for (std::size_t i = 0; i < a.scenarios.size(); ++i) {
    const JobDescription::Scenario& one = a.scenarios[i];
    const JobDescription::Scenario& other = b.scenarios[i];
    if (one.file != other.file) return fmt::format("of {}, not {}", other.file, one.file);
    if (one.inputs != other.inputs) return fmt::format("{} (or a file that it refers to) was another when it ran", other.file);
    if (!(one == other)) return fmt::format("{} has another name or description", other.file);
  }
  return {};
}

}  // namespace

std::string shard_path(const std::string& folder, Shard shard) { return fmt::format("{}/shard-{}-of-{}.jsonl", folder, shard.index, shard.count); }

std::string write_shard(const ShardFile& shard) {
  std::string content = header_line(shard) + "\n";
  for (const auto& [name, bytes] : shard.files) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    writer.StartObject();
    field(writer, "output", name);
    field(writer, "base64", to_base64(bytes));
    writer.EndObject();
    content += line_of(buffer) + "\n";
  }
  for (const std::string& line : shard.lines) content += line + "\n";
  const std::size_t lines = 1 + shard.files.size() + shard.lines.size();
  content += fmt::format("{{\"end\":{},\"hash\":\"{:016x}\"}}\n", lines, sim::fnv1a(content));
  return write_whole_file(shard.path, content);
}

std::string read_shard(const std::string& path, ShardFile& shard) {
  shard.path = path;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return fmt::format("{}: is a folder", path);
  std::ifstream in(path, std::ios::binary);
  if (!in) return fmt::format("{}: cannot be opened: {}", path, std::strerror(errno));
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return fmt::format("{}: cannot be read", path);
  std::vector<std::string> lines;
  std::size_t last = 0;  // where the last line begins
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    lines.push_back(content.substr(begin, end - begin));
    last = begin;
    begin = end + 1;
  }
  rapidjson::Document header;
  if (!lines.empty()) header.Parse<rapidjson::kParseFullPrecisionFlag>(lines.front().data(), lines.front().size());
  if (lines.empty() || header.HasParseError() || !header.IsObject() || !header.HasMember("squallShard") || !header["squallShard"].IsInt()) {
    return fmt::format("{}: is no shard: `squall run|compare|test ... --shard I/N -o DIR` writes them", path);
  }
  if (header["squallShard"].GetInt() != kShardVersion) {
    return fmt::format("{}: has format {}, and this squall reads {}", path, header["squallShard"].GetInt(), kShardVersion);
  }
  if (!read_header(header, shard)) return fmt::format("{}:1: its description of the job is damaged", path);
  const std::string end = fmt::format("{{\"end\":{},\"hash\":\"{:016x}\"}}", lines.size() - 1, sim::fnv1a(std::string_view(content).substr(0, last)));
  if (lines.back() != end) return fmt::format("{}: is damaged or cut off: its last line does not fit the {} before it", path, lines.size() - 1);
  std::size_t at = 1;
  for (; at + 1 < lines.size() && lines[at].starts_with("{\"output\":"); ++at) {
    rapidjson::Document file;
    file.Parse(lines[at].data(), lines[at].size());
    Members members(file);
    std::string name = members.string("output");
    std::string bytes;
    if (file.HasParseError() || members.wrong() || !is_harmless(name) || !from_base64(members.string("base64"), bytes)) {
      return fmt::format("{}:{}: is no file of a run", path, at + 1);
    }
    shard.files.emplace_back(std::move(name), std::move(bytes));
  }
  shard.lines.assign(std::make_move_iterator(lines.begin() + static_cast<std::ptrdiff_t>(at)), std::make_move_iterator(lines.end() - 1));
  return {};
}

std::string put_together(std::vector<ShardFile>& shards) {
  std::string problems;
  const ShardFile& first = shards.front();
  std::vector<const ShardFile*> parts(std::min<std::size_t>(first.shard.count, 1'000'000));
  for (const ShardFile& shard : shards) {
    if (const std::string what = difference(first.job, shard.job); !what.empty()) {
      problems += fmt::format("{}: belongs to another job than {}: {}\n", shard.path, first.path, what);
    } else if (shard.shard.count != first.shard.count) {
      problems += fmt::format("{}: is one of {} shards, {} one of {}\n", shard.path, shard.shard.count, first.path, first.shard.count);
    } else if (shard.shard.index < parts.size() && parts[shard.shard.index] != nullptr) {
      problems += fmt::format("{}: shard {} of {} is there twice, also as {}\n", shard.path, shard.shard.index, shard.shard.count, parts[shard.shard.index]->path);
    } else if (shard.shard.index < parts.size()) {
      parts[shard.shard.index] = &shard;
    }
  }
  std::string missing;
  std::size_t missing_count = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != nullptr) continue;
    if (++missing_count <= 20) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", i);
  }
  if (missing_count > 20) missing += fmt::format(" and {} more", missing_count - 20);
  if (missing_count > 0) {
    problems += fmt::format("shard{} {} of {} {} missing (they count from 0)\n", missing_count == 1 ? "" : "s", missing, first.shard.count, missing_count == 1 ? "is" : "are");
  }
  if (problems.empty()) std::sort(shards.begin(), shards.end(), [](const ShardFile& a, const ShardFile& b) { return a.shard.index < b.shard.index; });
  return problems;
}

std::string collect(const std::vector<ShardFile>& shards, std::vector<ScenarioResults>& results) {
  const JobDescription& job = shards.front().job;
  results.resize(job.scenarios.size());
  std::vector<RecordReader> readers(shards.size());
  std::vector<std::size_t> at(shards.size());
  for (std::size_t replication = 0; replication < job.replications; ++replication) {
    const std::size_t part = replication % shards.size();
    const ShardFile& shard = shards[part];
    for (std::size_t scenario = 0; scenario < results.size(); ++scenario) {
      Record record;
      const std::size_t number = 2 + shard.files.size() + at[part];
      if (at[part] >= shard.lines.size()) return fmt::format("{}: ends before replication {}", shard.path, replication);
      if (!readers[part].read(shard.lines[at[part]++], record)) return fmt::format("{}:{}: is no record", shard.path, number);
      if (record.scenario != scenario || record.replication != replication || record.seed != job.first_seed + replication) {
        return fmt::format("{}:{}: is not replication {} of {}", shard.path, number, replication, job.scenarios[scenario].name);
      }
      results[scenario].add(std::move(record));
    }
  }
  for (std::size_t part = 0; part < shards.size(); ++part) {
    if (at[part] != shards[part].lines.size()) return fmt::format("{}: has more records than its job", shards[part].path);
  }
  return {};
}

std::string read_folder(const std::string& folder, std::vector<std::pair<std::string, std::string>>& files) {
  std::error_code error;
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  if (error) return fmt::format("{}: {}", folder, error.message());
  std::sort(found.begin(), found.end());
  for (const std::filesystem::path& path : found) {
    std::ifstream in(path, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(in), {}};
    if (!in && !in.eof()) return fmt::format("{}: cannot be read", path.string());
    files.emplace_back(path.lexically_relative(folder).generic_string(), std::move(content));
  }
  return {};
}

}  // namespace analysis
