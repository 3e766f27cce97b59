/// StatusCheck: asks a Service of the cluster whether it answers.
///
/// Source:     api/v1alpha1/statuscheck_types.go, controllers/statuscheck (thresholds count what comes in a row; Synchronous ends with the first threshold that is
///             met, Continuous with failures or the duration).
/// Leaves out: URLs outside of the cluster, headers and bodies; what a Service answers but 200.
#include "chaos/mesh/kinds/status_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "chaos/mesh/kinds/kind_files.hpp"
#include "sim/models/services/services.hpp"

namespace chaos::mesh {

namespace {

/// "web.shop.svc.cluster.local" -> web, shop; "web" -> web. False: no Service of the cluster can have that name.
bool split_host(std::string_view url, std::string& service, std::string& ns) {
  std::size_t begin = url.find("://");
  if (begin == std::string_view::npos) return false;
  begin += 3;
  std::string_view host = url.substr(begin, url.find_first_of("/:?", begin) - begin);
  for (const std::string_view suffix : {".svc.cluster.local", ".svc"}) {
    if (host.ends_with(suffix)) {
      host.remove_suffix(suffix.size());
      break;
    }
  }
  const std::size_t dot = host.find('.');
  service = host.substr(0, dot);
  ns = dot == std::string_view::npos ? std::string_view() : host.substr(dot + 1);
  const bool is_number = !service.empty() && std::all_of(service.begin(), service.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return !service.empty() && !is_number && ns.find('.') == std::string::npos;
}

struct Criteria {
  std::pair<int, int> codes{200, 200};
};
void describe(Fields<Criteria>& fields) {
  fields.custom("statusCode", TypeInfo{.kind = TypeInfo::Kind::kString}, "\"200\", or a range \"200-400\". A Service that answers does so with 200.",
                [](Node node, Criteria& to, Reader& reader) {
                  std::string text;
                  if (!sim::scenario::detail::read_string(node, text, reader)) return false;
                  const auto number = [](std::string_view part) -> std::optional<int> {
                    int value = 0;
                    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
                    if (error != std::errc{} || end != part.data() + part.size() || value <= 0 || value >= 1000) return std::nullopt;
                    return value;
                  };
                  const std::size_t dash = text.find('-');
                  const std::optional<int> low = number(std::string_view(text).substr(0, dash));
                  const std::optional<int> high = dash == std::string::npos ? low : number(std::string_view(text).substr(dash + 1));
                  if (low && high) {
                    to.codes = {*low, *high};
                    return true;
                  }
                  reader.diagnostics.error(node, "incorrect status code format").expected = "\"200\" or \"200-400\"";
                  return false;
                })
      .required();
}

}  // namespace

void describe(Fields<HttpCheck>& fields) {
  fields.custom("url", TypeInfo{.kind = TypeInfo::Kind::kString}, "Of a Service of the cluster: http://web.shop.svc/healthz. Addresses outside of it are refused.",
                [](Node node, HttpCheck& to, Reader& reader) {
                  if (!sim::scenario::detail::read_string(node, to.url, reader)) return false;
                  to.where = node.place();
                  if (!to.url.starts_with("http://") && !to.url.starts_with("https://")) {
                    reader.diagnostics.error(node, "invalid http request url").expected = "http://SERVICE.NAMESPACE.svc:PORT/PATH";
                    return false;
                  }
                  if (split_host(to.url, to.service, to.ns)) return true;
                  reader.diagnostics.error(node, fmt::format("{}statuscheck of {}: it is no Service of the cluster, and nothing outside of it is simulated", kNotModelled, to.url)).expected = "http://SERVICE.NAMESPACE.svc:PORT/PATH";
                  return false;
                })
      .required()
      .choice("method", &HttpCheck::method, std::vector<std::pair<std::string, std::string>>{{"GET", "GET"}, {"POST", "POST"}}, "A Service that answers answers both.")
      .custom("criteria", sim::scenario::Codec<Criteria>::type(), "What is a success.", [](Node node, HttpCheck& to, Reader& reader) {
        Criteria criteria;
        if (!sim::scenario::read_struct(node, criteria, "criteria", reader)) return false;
        to.codes = criteria.codes;
        return true;
      })
      .required();
  refused(fields, "headers", TypeInfo::Kind::kRaw, "contents of requests");
  refused(fields, "body", TypeInfo::Kind::kString, "contents of requests");
}

void describe(Fields<StatusCheckSpec>& fields) {
  fields.title("Asks a Service whether it answers.")
      .choice("mode", &StatusCheckSpec::is_continuous, std::vector<std::pair<std::string, bool>>{{"Synchronous", false}, {"Continuous", true}}, "Synchronous: until it succeeds or fails. Continuous: until it fails or its time is over.")
      .choice("type", &StatusCheckSpec::type, std::vector<std::pair<std::string, std::string>>{{"HTTP", "HTTP"}}, "How.")
      .add("duration", &StatusCheckSpec::duration, "How long in all.")
      .add("timeoutSeconds", &StatusCheckSpec::timeout_seconds, 1, 1'000'000, "For one answer: a Service that answers does so in time.")
      .add("intervalSeconds", &StatusCheckSpec::interval_seconds, 1, 1'000'000, "From one to the next.")
      .add("failureThreshold", &StatusCheckSpec::failure_threshold, 1, 1'000'000, "So many failures in a row: it has failed.")
      .add("successThreshold", &StatusCheckSpec::success_threshold, 1, 1'000'000, "Of Synchronous: so many successes in a row.")
      .add("http", &StatusCheckSpec::http, "What is asked.");
  without_effect(fields, "recordsHistoryLimit", TypeInfo::Kind::kInteger, "no effect: how many results the status keeps");
  fields.rule([](const StatusCheckSpec& spec, Node node, Reader& reader) {
    if (!spec.http) reader.diagnostics.error(node, "the detail of http status check is required").expected = "http: {url: ..., criteria: {statusCode: \"200\"}}";
  });
}

void StatusCheckSpec::check(CheckContext& context) const {
  const std::string space = http->ns.empty() ? context.ns : http->ns;
  if (context.world.api.find<sim::k8s::Service>(context.world.names.find(space), context.world.names.find(http->service))) return;
  std::vector<std::string> names;
  context.world.api.all<sim::k8s::Service>().for_each([&](sim::k8s::Ref<sim::k8s::Service>, const sim::k8s::Service& service) {
    names.push_back(context.world.names.text(service.meta.name) + "." + context.world.names.text(service.meta.ns));
  });
  const std::string hint = sim::scenario::did_you_mean(http->service + "." + space, names);
  context.problem(http->where, fmt::format("there is no Service '{}.{}'{}", http->service, space, hint.empty() ? std::string() : "; " + hint));
}

StatusCheckObject::StatusCheckObject(Cluster& cluster, std::shared_ptr<const StatusCheckSpec> spec, const Meta& meta)
    : Object(cluster, "StatusCheck", meta.ns, meta.name), spec_(std::move(spec)), timer_(world().engine) {}

void StatusCheckObject::start() { look(); }

/// Some pod that the API lists as ready really serves.
bool StatusCheckObject::answers() const {
  sim::World& w = world();
  const sim::Symbol space = w.names.intern(spec_->http->ns.empty() ? ns_ : spec_->http->ns);
  const sim::k8s::Ref<sim::k8s::Endpoints> ref = w.api.find<sim::k8s::Endpoints>(space, w.names.intern(spec_->http->service));
  const sim::k8s::Endpoints* endpoints = w.api.get(ref);
  return endpoints != nullptr && std::any_of(endpoints->addresses.begin(), endpoints->addresses.end(), [&](const sim::k8s::Endpoints::Address& address) { return address.ready && w.kubelets.is_serving(address.pod); });
}

void StatusCheckObject::look() {
  if (is_finished()) return;
  if (spec_->duration && world().engine.now() - created_ > spec_->duration->value) {
    done(false, "StatusCheckDurationExceed");
    return;
  }
  constexpr int kOk = 200;
  const bool good = answers() && spec_->http->codes.first <= kOk && kOk <= spec_->http->codes.second;
  successes_ = good ? successes_ + 1 : 0;
  failures_ = good ? 0 : failures_ + 1;
  if (!good && !std::exchange(is_told_, true)) record("StatusCheckExecutionFailed", fmt::format("status check execution failed: {} does not answer as it should", spec_->http->url));
  if (good && std::exchange(is_told_, false)) record("StatusCheckExecutionSucceed", fmt::format("{} answers again", spec_->http->url));
  if (failures_ >= spec_->failure_threshold) {
    done(true, "failure threshold exceed");
  } else if (!spec_->is_continuous && successes_ >= spec_->success_threshold) {
    done(false, "success threshold exceed");
  } else {
    timer_.set_after(std::chrono::seconds(spec_->interval_seconds), [this] { look(); });
  }
}

void StatusCheckObject::done(bool failed, std::string_view reason) {
  is_done_ = true;
  has_failed_ = failed;
  if (failed) failure_ = fmt::format("{} does not answer", spec_->http->url);
  const sim::CauseId id = record(failed ? "StatusCheckFailed" : "StatusCheckCompleted", reason);
  const sim::ScopedCause because(world().engine, id);
  tell();
}

ObjectView StatusCheckObject::view() const {
  ObjectView view = Object::view();
  view.phase = has_failed_ ? "Failed" : is_done_ ? "Completed" : "Running";
  view.targets = 1;
  return view;
}

Kind status_check() { return make_kind<StatusCheckSpec>("StatusCheck", "statusCheck", "Asks a Service of the cluster whether it answers."); }

}  // namespace chaos::mesh
