scalableapp_test(runtime_integration_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/runtime_integration_test.cc
  LIBS kube_runtime nlohmann_json::nlohmann_json
  LABELS integration)
