# The half that runs controllers: the queue, the election of a leader, events.
scalableapp_library(kube_runtime
  SOURCES event_correlator.cc event_recorder.cc leader_elector.cc
          observed_transport.cc rate_limiter.cc work_queue.cc
  PUBLIC api kube platform
  PRIVATE nlohmann_json::nlohmann_json)
scalableapp_test(kube_runtime_test
  SOURCES event_recorder_test.cc leader_elector_test.cc
          observed_transport_test.cc work_queue_test.cc
  LIBS kube_runtime nlohmann_json::nlohmann_json)
