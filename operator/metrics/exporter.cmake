# The operator's own metrics. Sources by full path: the file may be included from elsewhere.
find_package(prometheus-cpp REQUIRED COMPONENTS core)
scalableapp_library(exporter SOURCES ${CMAKE_CURRENT_LIST_DIR}/exporter.cc
  PUBLIC base PRIVATE prometheus-cpp::core)
target_compile_definitions(exporter PRIVATE SCALABLEAPP_VERSION="${PROJECT_VERSION}")
scalableapp_test(exporter_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/exporter_test.cc LIBS exporter)
