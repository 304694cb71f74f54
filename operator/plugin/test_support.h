// What the plugin's tests share: an app and a server that answers by path.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "operator/kube/transport.h"
#include "operator/plugin/manifest.h"

namespace scalableapp::plugin {

inline constexpr const char* kWeb = R"(# The shop's front.
apiVersion: scalableapp.io/v1alpha1
kind: ScalableApp
metadata:
  name: web
spec:
  replicas: {min: 2, max: 10}  # Ten is what the database stands.
  metrics:
  - name: cpu
    type: CPU
    cpu: {targetUtilization: 70}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 30
  template:
    spec:
      containers:
      - name: web
        image: "web:1"
        resources: {requests: {cpu: 100m}}
)";

inline api::ScalableApp web() { return read_manifest(kWeb, "web.yaml").value(); }

// Keeps what it was asked; one thread.
class AnsweringTransport final : public kube::HttpTransport {
 public:
  using Answer = std::function<kube::HttpResponse(const std::string& path)>;
  explicit AnsweringTransport(Answer answer) : answer_(std::move(answer)) {}

  Result<kube::HttpResponse> send(const kube::HttpRequest& request, std::stop_token) override {
    paths.push_back(request.path_and_query);
    return answer_(request.path_and_query);
  }
  Result<kube::HttpResponse> stream(const kube::HttpRequest&, milliseconds, const kube::OnLine&,
                                    std::stop_token) override {
    return fail(ErrorCode::kInternal, "no streams here");
  }

  std::vector<std::string> paths;

 private:
  Answer answer_;
};

}  // namespace scalableapp::plugin
