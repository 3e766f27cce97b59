/// IOChaos: calls to the files of a volume take longer, or fail.
///
/// Source:     api/v1alpha1/iochaos_types.go, podiochaos_types.go. etcd: every commit waits for fsync of its log (reference platform 6.4); an error there ends the
///             process (etcd server/storage/wal: a failed fsync is fatal).
/// Leaves out: every pod but etcd's (what another process does with its files is not simulated); attrOverride and mistake.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/target.hpp"

namespace chaos::mesh {
namespace {

enum class Action : std::uint8_t { kLatency, kFault, kAttrOverride, kMistake };

const std::vector<std::string>& io_methods() {
  static const std::vector<std::string> methods = {"lookup", "forget", "getattr", "setattr", "readlink", "mknod", "mkdir", "unlink", "rmdir", "symlink", "rename", "link", "open", "read", "write", "flush",
                                                   "release", "fsync", "opendir", "readdir", "releasedir", "fsyncdir", "statfs", "setxattr", "getxattr", "listxattr", "removexattr", "access", "create", "getlk", "setlk", "bmap"};
  return methods;
}

struct IoChaos final : ChaosSpec, ContainerSelection {
  Action action = Action::kLatency;
  GoDuration delay;
  std::int64_t error = 0;
  std::string path, volume_path;
  std::vector<std::string> methods;
  std::int64_t percent = 100;

  bool hits(std::string_view method) const { return methods.empty() || std::find(methods.begin(), methods.end(), method) != methods.end(); }
  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override { return container_targets(*this, cluster, ns, random, why); }
  void check(CheckContext& context) const override {
    check_selection(*this, context);
    // The pods of the control plane come with the start: their namespace and labels are known before it.
    const auto label = selector.labels.find("component");
    const std::vector<std::string> spaces = selector.namespaces.empty() ? std::vector<std::string>{context.ns} : selector.namespaces;
    const bool names_etcd = std::any_of(selector.pods.begin(), selector.pods.end(), [](const auto& one) { return one.first == "kube-system"; });
    const bool may_be_etcd = names_etcd || (std::find(spaces.begin(), spaces.end(), "kube-system") != spaces.end() && (label == selector.labels.end() || label->second == "etcd"));
    if (!may_be_etcd || context.world.control_plane.member_count() == 0) {
      context.problem(place, fmt::format("{}iochaos of pods other than etcd's: what a process does with its files is not simulated. etcd's pods: namespaces: [kube-system], labelSelectors: {{component: etcd}}", kNotModelled));
    }
  }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

void describe(Fields<IoChaos>& fields) {
  fields.title("Calls to the files of a volume.")
      .choice("action", &IoChaos::action,
              std::vector<std::pair<std::string, Action>>{{"latency", Action::kLatency}, {"fault", Action::kFault}, {"attrOverride", Action::kAttrOverride}, {"mistake", Action::kMistake}},
              "latency: calls take longer. fault: they fail. attrOverride and mistake are refused: contents of files are not simulated.")
      .required()
      .add("delay", &IoChaos::delay, "Of latency: how much longer.")
      .add("errno", &IoChaos::error, 0, 4'294'967'295, "Of fault: the error. Any error of a write or fsync ends etcd.")
      .add("path", &IoChaos::path, "Files that are meant, a pattern; etcd's log is in member/wal below its data folder. Default: all of the volume.")
      .add("percent", &IoChaos::percent, 0, 100, "Of the calls.")
      .add("volumePath", &IoChaos::volume_path, "Where the volume is mounted: of etcd /var/lib/etcd.")
      .required()
      .custom("methods", TypeInfo{.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(TypeInfo{.kind = TypeInfo::Kind::kString})},
              "Calls that are meant; default: all. etcd's commits feel fsync and write.", [](Node node, IoChaos& to, Reader& reader) {
                if (!sim::scenario::Codec<std::vector<std::string>>::read(node, to.methods, reader, "methods")) return false;
                bool good = true;
                for (std::size_t i = 0; i < to.methods.size(); ++i) {
                  if (std::find(io_methods().begin(), io_methods().end(), to.methods[i]) != io_methods().end()) continue;
                  sim::scenario::Diagnostic& d = reader.diagnostics.error(node.item(i), fmt::format("'{}' is no call to a file", to.methods[i]));
                  d.hint = sim::scenario::did_you_mean(to.methods[i], io_methods());
                  d.expected = fmt::format("one of: {}", fmt::join(io_methods(), ", "));
                  good = false;
                }
                return good;
              });
  refused(fields, "attr", TypeInfo::Kind::kObject, "attributes of files");
  refused(fields, "mistake", TypeInfo::Kind::kObject, "contents of files");
  describe_containers(fields);
  describe_common(fields);
  fields.rule([](const IoChaos& spec, Node node, Reader& reader) {
    if (spec.action == Action::kLatency && spec.delay.value <= SimDuration::zero()) reader.diagnostics.error(node, "action latency needs 'delay'");
    if (spec.action == Action::kFault && spec.error == 0) reader.diagnostics.error(node, "action fault: errno 0 is not supported").expected = "errno: 5 (EIO), 28 (ENOSPC), ...";
    if (spec.action == Action::kAttrOverride || spec.action == Action::kMistake) {
      reader.diagnostics.error(node.find("action"), fmt::format("{}iochaos {}: contents and attributes of files are not simulated", kNotModelled, node.find("action").text()));
    }
  });
}

/// Chaos Mesh matches with Rust's glob: '**' any folders, '*' anything within one, '?' one character.
bool fits_path(std::string_view pattern, std::string_view path) {
  // reached[i]: what was read of the pattern fits the first i characters.
  std::vector<bool> reached(path.size() + 1, false);
  reached[0] = true;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const bool is_deep = pattern.substr(at).starts_with("**");
    if (pattern[at] == '*') {
      for (std::size_t i = 0; i < path.size(); ++i) {
        if (reached[i] && (is_deep || path[i] != '/')) reached[i + 1] = true;
      }
      if (!is_deep) continue;
      ++at;
      if (at + 1 < pattern.size() && pattern[at + 1] == '/') ++at;  // no folder at all fits as well
      continue;
    }
    for (std::size_t i = path.size(); i > 0; --i) reached[i] = reached[i - 1] && (pattern[at] == '?' || pattern[at] == path[i - 1]);
    reached[0] = false;
  }
  return reached[path.size()];
}

class IoEffect final : public Effect {
 public:
  IoEffect(Cluster& cluster, const IoChaos& spec) : Effect(cluster), spec_(spec) {}

  std::string apply(const Target& target, const std::vector<Target>&) override {
    sim::World& w = world();
    if (std::string why = not_running(w, target); !why.empty()) return why;
    const std::string host_name = w.names.text(w.api.get(target.pod)->node_name);
    const std::optional<std::size_t> member = member_on(w.control_plane, w.kubelets.host_of(w.api.get(target.pod)->node));
    if (!member || target.id != fmt::format("kube-system/etcd-{}/etcd", host_name)) return fmt::format("{}files of {}", kNotModelled, target.id);
    if (spec_.volume_path != "/var/lib/etcd") return fmt::format("{} is not mounted in {}; etcd's volume is /var/lib/etcd", spec_.volume_path, target.id);
    const bool hits_log = spec_.path.empty() || fits_path(spec_.path, "/var/lib/etcd/member/wal/0000000000000000-0000000000000000.wal");
    if (!hits_log || spec_.percent == 0 || (!spec_.hits("fsync") && !spec_.hits("write"))) return {};  // nothing that a commit waits for
    const double share = static_cast<double>(spec_.percent) / 100.0;
    Hit hit;
    hit.member = *member;
    if (spec_.action == Action::kLatency) {
      // A commit appends and flushes: each of the two waits.
      hit.delay = spec_.delay.value * ((spec_.hits("fsync") ? 1 : 0) + (spec_.hits("write") ? 1 : 0));
      hit.share = share;
      const sim::ScopedCause because(w.engine, w.api.record(target.pod, "FilesSlow", fmt::format("{} % of the calls to etcd's files take {} longer", spec_.percent, sim::format_duration(spec_.delay.value))));
      cluster_.delay_disk(hit.member, hit.delay, hit.share, false);
    } else {
      // etcd writes several times a second: it meets the error at once, and again after each restart.
      const sim::ScopedCause because(w.engine, w.api.record(target.pod, "FilesFail", fmt::format("{} % of the calls to etcd's files fail with errno {}: a failed write of its log ends it", spec_.percent, spec_.error)));
      hit.is_killed = true;
      cluster_.environment().hold(FaultEnvironment::Held::kProcess, process(hit.member));
      w.control_plane.kill(sim::k8s::Component::kEtcd, hit.member);  // nothing is handed over
      w.control_plane.stop(sim::k8s::Component::kEtcd, hit.member);
    }
    hits_[target.id] = hit;
    return {};
  }
  void recover(const Target& target) override {
    const auto found = hits_.find(target.id);
    if (found == hits_.end()) return;
    const Hit hit = found->second;
    hits_.erase(found);
    if (!hit.is_killed) {
      cluster_.delay_disk(hit.member, hit.delay, hit.share, true);
    } else if (cluster_.environment().release(FaultEnvironment::Held::kProcess, process(hit.member))) {
      world().control_plane.start_component(sim::k8s::Component::kEtcd, hit.member);
    }
  }

 private:
  struct Hit {
    std::size_t member = 0;
    SimDuration delay{};
    double share = 0.0;
    bool is_killed = false;
  };
  static FaultEnvironment::HeldThing process(std::size_t member) { return {static_cast<std::uint64_t>(sim::k8s::Component::kEtcd), member}; }
  const IoChaos& spec_;
  std::map<std::string, Hit> hits_;
};

std::unique_ptr<Effect> IoChaos::make(Cluster& cluster) const { return std::make_unique<IoEffect>(cluster, *this); }

}  // namespace

Kind io_chaos() { return make_kind<IoChaos>("IOChaos", "ioChaos", "Calls to files take longer, or fail: those of etcd. Other pods are refused by name."); }

}  // namespace chaos::mesh
