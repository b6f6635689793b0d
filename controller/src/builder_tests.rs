//! What is refused, and whose word counts.

use super::*;

#[test]
fn what_is_missing_or_unknown_is_said() {
    let error = Builder::default().environment(None).build().expect_err("no registry");
    assert_eq!(error, BuildError::NoRegistry);
    let builder = Builder::default().registry(&Registry::new()).environment(Some("on"));
    let text = builder.build().expect_err("no mode").to_string();
    assert_eq!(text, "EBBPOOL_CONTROLLER=\"on\" is unknown, allowed are off, observe and enforce");
}

#[test]
fn a_name_is_the_programs_or_the_environments_and_none_is_bent_or_lost() {
    let told = |program: Option<&str>, environment: Option<&str>| {
        instance(program.map(str::to_owned), environment.map(OsString::from))
    };
    assert_eq!(told(Some("a"), Some("b")).as_deref(), Ok("a"));
    assert_eq!(told(None, Some("b")).as_deref(), Ok("b"));
    assert_eq!(told(None, Some("")), told(None, None), "an empty variable says nothing");
    for (program, environment, path) in [
        (Some(""), Some("b"), "instance"),
        (Some(&*"x".repeat(254)), None, "instance"),
        (None, Some(&*"x".repeat(254)), "EBBPOOL_INSTANCE"),
    ] {
        let refused = told(program, environment).expect_err(path);
        assert_eq!((refused.path.as_str(), &*refused.allowed), (path, "a text of 1 to 253 bytes"));
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_and_not_left_out() {
    let bytes: OsString = std::os::unix::ffi::OsStringExt::from_vec(b"pod-\xff".to_vec());
    let refused = instance(None, Some(bytes)).expect_err("no text");
    assert!(refused.to_string().starts_with("EBBPOOL_INSTANCE: \"pod-\u{fffd}\": not UTF-8"), "{refused}");
}

#[test]
fn a_name_is_asked_for_only_if_there_is_a_configuration() {
    let builder = || Builder::default().registry(&Registry::new()).environment(None).instance("");
    assert!(builder().build().is_ok());
    let error = builder().config(Config::default()).build().expect_err("no name");
    assert!(matches!(error, BuildError::Instance(_)), "{error}");
}

#[test]
fn the_environment_overrides_the_builder() {
    let builder = Builder::default().registry(&Registry::new()).mode(Mode::Enforce);
    assert_eq!(builder.environment(Some("off")).build().map(|c| c.mode()), Ok(Mode::Off));
}
