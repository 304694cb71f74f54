# How every library, program and test of the project is declared: one warning level, one sanitizer
# switch, and libraries that see only what they link.

add_library(project_options INTERFACE)
target_compile_options(project_options INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast)
target_include_directories(project_options INTERFACE ${PROJECT_SOURCE_DIR})
if(SCALABLEAPP_SANITIZE)
  target_compile_options(project_options INTERFACE -fsanitize=${SCALABLEAPP_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(project_options INTERFACE -fsanitize=${SCALABLEAPP_SANITIZE})
endif()

# scalableapp_library(NAME SOURCES ... [PUBLIC libs...] [PRIVATE libs...])
function(scalableapp_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC project_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# scalableapp_test(NAME SOURCES ... [LIBS ...] [LABELS unit|integration|controllers|e2e])
# One test binary; every TEST in it becomes a ctest entry.
function(scalableapp_test name)
  if(NOT SCALABLEAPP_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE project_options ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  # One ctest entry a binary: gtest itself lists and counts the cases.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
endfunction()
