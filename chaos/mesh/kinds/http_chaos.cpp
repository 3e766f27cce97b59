/// HTTPChaos: HTTP at a port of pods is not answered, answered with an error, or answered later.
///
/// Source:     api/v1alpha1/httpchaos_types.go, podhttpchaos_types.go: a proxy in the pod's network namespace sees every request to the port, those of probes as well.
/// Leaves out: rules for some requests only (path, method, headers, code) and changed requests: requests are not simulated one by one. TLS.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/mesh/pod_rule_effect.hpp"

namespace chaos::mesh {
namespace {

enum class Side : std::uint8_t { kRequest, kResponse };

struct ReplaceSpec {
  std::optional<std::int64_t> code;
};
struct HttpChaos final : ChaosSpec, PodSelection {
  Side target = Side::kRequest;
  std::int64_t port = 0;
  bool abort = false;
  std::optional<GoDuration> delay;
  std::optional<ReplaceSpec> replace;

  bool fails() const { return abort || (replace && replace->code && *replace->code >= 400); }
  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override { return pod_targets(*this, cluster, ns, ".", random, why); }
  void check(CheckContext& context) const override { check_selection(*this, context); }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

constexpr std::string_view kSome = "requests are not simulated one by one: a rule is for all of them";

bool read_any_path(Node node, HttpChaos&, Reader& reader) { return node.text() == "*" || node.text() == "/*" || refuse(node, "path", kSome, reader); }

void describe(Fields<ReplaceSpec>& fields) {
  fields.title("What is replaced.").add("code", &ReplaceSpec::code, 100, 999, "Of a response: its status; from 400 on, callers and probes take it for a failure.");
  for (const char* name : {"path", "method"}) refused(fields, name, TypeInfo::Kind::kString, "contents of requests");
  for (const char* name : {"body", "queries", "headers"}) refused(fields, name, TypeInfo::Kind::kRaw, "contents of requests and responses");
}

void describe(Fields<HttpChaos>& fields) {
  fields.title("HTTP at a port of pods.")
      .choice("target", &HttpChaos::target, std::vector<std::pair<std::string, Side>>{{"Request", Side::kRequest}, {"Response", Side::kResponse}}, "What is stopped or delayed: to a caller the same.")
      .required()
      .add("port", &HttpChaos::port, 1, 65535, "Of the pods.").required()
      .add("abort", &HttpChaos::abort, "No answer: the connection is closed.")
      .add("delay", &HttpChaos::delay, "The answer comes so much later. Felt by probes (timeoutSeconds).")
      .add("replace", &HttpChaos::replace, "Another status.")
      .custom("path", TypeInfo{.kind = TypeInfo::Kind::kString}, "Of the requests that are meant: * for all of them. Others are refused.", read_any_path);
  refused(fields, "method", TypeInfo::Kind::kString, kSome);
  refused(fields, "code", TypeInfo::Kind::kInteger, kSome);
  refused(fields, "request_headers", TypeInfo::Kind::kStringMap, kSome);
  refused(fields, "response_headers", TypeInfo::Kind::kStringMap, kSome);
  refused(fields, "patch", TypeInfo::Kind::kObject, "contents of requests and responses");
  refused(fields, "tls", TypeInfo::Kind::kObject, "certificates of pods");
  describe_pods(fields);
  describe_common(fields);
  fields.rule([](const HttpChaos& spec, Node node, Reader& reader) {
    if (!spec.abort && !spec.delay && !spec.replace) reader.diagnostics.error(node, "HTTPChaos needs an action").expected = "abort, delay or replace";
    if (spec.replace && spec.replace->code && spec.target == Side::kRequest) reader.diagnostics.error(node.find("replace").find("code"), "a request has no status to replace").hint = "target: Response";
    if (spec.replace && (!spec.replace->code || *spec.replace->code < 400)) reader.diagnostics.error(node.find("replace"), fmt::format("{}a replacement that no caller takes for a failure", kNotModelled)).expected = "code: 400 to 999";
    if (spec.delay && spec.delay->value < SimDuration::zero()) reader.diagnostics.error(node.find("delay"), "a delay is not negative");
  });
}

class HttpEffect final : public PodRuleEffect {
 public:
  HttpEffect(Cluster& cluster, const HttpChaos& spec) : PodRuleEffect(cluster), spec_(spec) {}

 private:
  sim::network::PodNetwork::Id begin(const Target& target) override {
    return world().network_of_pods().disturb_http({target.pod}, static_cast<std::int32_t>(spec_.port), spec_.fails(), spec_.delay ? spec_.delay->value : SimDuration{});
  }

  const HttpChaos& spec_;
};

std::unique_ptr<Effect> HttpChaos::make(Cluster& cluster) const { return std::make_unique<HttpEffect>(cluster, *this); }

}  // namespace

Kind http_chaos() { return make_kind<HttpChaos>("HTTPChaos", "httpChaos", "HTTP at a port of pods is not answered, answered with an error, or later."); }

}  // namespace chaos::mesh
