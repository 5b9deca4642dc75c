"""The RFC checklist: which tests hold which requirement, and which waits for a part not there yet.

`TESTS` names the test functions of this directory. `test_checklist.py` holds that
every number is in exactly one of the two tables and that every named test exists.
"""

SIZE = 90

TESTS: dict[int, tuple[str, ...]] = {
    1: ("test_rfc7515_5_2_1_exactly_two_dots", "test_rfc7516_5_2_1_a_jwe_is_not_a_jws"),
    2: ("test_rfc7515_5_2_2_no_white_space_in_any_segment", "test_rfc7519_7_2_no_line_breaks_in_a_jwt"),
    3: ("test_rfc8725bis_3_14_only_token_characters",),
    4: ("test_rfc7515_5_2_3_header_is_utf8", "test_rfc8725_3_7_header_is_completely_valid_json"),
    5: ("test_rfc7515_10_12_malformed_json_is_refused_whole",),
    6: ("test_rfc7515_4_header_names_are_unique",),
    7: ("test_rfc7519_4_claim_names_are_unique",),
    8: (
        "test_rfc7515_5_3_names_are_compared_after_unescaping",
        "test_rfc7515_10_13_comparison_is_case_sensitive",
    ),
    9: ("test_rfc7515_4_1_1_alg_is_present", "test_rfc7515_5_2_8_alg_is_true_of_the_operation"),
    10: ("test_rfc8725_3_1_the_application_restricts_algorithms",),
    11: ("test_rfc8725bis_3_1_alg_is_consistent_with_the_key_found_by_kid",),
    12: ("test_rfc8725_3_1_one_key_one_algorithm",),
    13: ("test_rfc8725_3_2_an_unacceptable_algorithm_is_refused",),
    14: ("test_rfc7518_3_6_none_is_not_accepted",),
    15: ("test_rfc7515_4_1_11_unknown_critical_header",),
    16: ("test_rfc7515_4_1_11_malformed_critical_header",),
    17: ("test_rfc7515_4_1_11_crit_only_in_the_protected_header",),
    18: ("test_rfc7515_4_1_11_no_useless_crit_is_written",),
    19: ("test_rfc7797_7_no_unencoded_payload_in_a_jwt", "test_rfc7797_6_b64_elsewhere_is_not_understood"),
    20: ("test_rfc7515_7_2_1_json_serialization_is_refused_whole",),
    21: ("test_rfc7515_5_2_10_the_validated_signature_is_reported",),
    22: ("test_rfc8725_3_3_every_cryptographic_operation_is_validated",),
    23: ("test_rfc8725bis_3_3_jws_and_jwe_are_told_apart",),
    24: ("test_rfc7515_4_1_4_kid_is_a_case_sensitive_string", "test_rfc8725_3_10_kid_is_hostile_input"),
    25: ("test_rfc8725_3_10_jku_and_x5u_are_not_followed",),
    26: ("test_rfc7515_4_1_9_typ_without_a_slash_means_application",),
    27: ("test_rfc8725_3_12_kinds_of_jwt_exclude_each_other",),
    28: ("test_rfc7518_3_2_hmac_key_size",),
    29: ("test_rfc7518_3_2_hmac_comparison_takes_constant_time",),
    30: ("test_rfc7518_3_3_rsa_key_size",),
    31: ("test_rfc7518_3_4_ecdsa_signature_size",),
    32: ("test_rfc7518_3_5_pss_parameters",),
    33: ("test_rfc7518_6_2_1_2_ec_coordinates_have_their_full_length",),
    38: (
        "test_rfc8037_2_okp_keys",
        "test_rfc8037_3_1_eddsa_only_for_edwards_curves",
        "test_rfc9864_both_names_are_read",
    ),
    39: ("test_rfc8725_3_5_a_password_is_no_hmac_key",),
    44: ("test_rfc7517_4_2_use_is_respected", "test_rfc7517_4_3_key_ops_is_respected"),
    45: ("test_rfc7519_4_1_4_exp",),
    46: ("test_rfc7519_4_1_5_nbf",),
    47: ("test_rfc7519_4_1_6_iat",),
    48: ("test_rfc7519_4_1_3_aud",),
    49: ("test_rfc8725_3_9_aud_is_required",),
    50: ("test_rfc8725_3_8_keys_belong_to_the_issuer",),
    51: ("test_rfc8725_3_8_subject_is_checked_when_configured",),
    52: ("test_rfc7519_5_3_replicated_claims_in_the_header_decide_nothing",),
    53: ("test_rfc7519_4_1_7_jti_is_unique",),
    54: ("test_rfc9068_2_1_typ_of_an_issued_access_token",),
    55: ("test_rfc9068_2_2_claims_of_an_issued_access_token",),
    56: ("test_rfc9068_4_typ_of_an_access_token",),
    57: ("test_rfc9068_4_issuer_is_exact",),
    58: ("test_rfc9068_4_audience_is_the_resource_server",),
    59: ("test_rfc9068_4_only_keys_of_the_authorization_server", "test_rfc9068_4_none_is_refused"),
    60: ("test_rfc9068_4_failures_are_answered_with_invalid_token",),
    87: ("test_rfc7517_5_jwk_set_members",),
    88: ("test_rfc7517_4_5_conflicting_kids_are_refused",),
    89: (
        "test_rfc7515_8_keys_are_fetched_over_tls_with_server_validation",
        "test_rfc7515_8_no_setting_turns_server_validation_off",
        "test_rfc7517_9_2_private_members_are_never_published",
        "test_rfc7517_9_2_symmetric_keys_are_never_published",
    ),
    90: (
        "test_publisher_a_new_key_is_in_the_set_before_its_first_use",
        "test_publisher_an_old_key_is_kept_until_its_last_token_has_expired",
        "test_publisher_a_lost_key_is_removed_at_once",
    ),
}

WAITING: dict[int, str] = {
    **dict.fromkeys((34, 35, 36, 37, 40, 41, 42, 43, 61), "encrypted tokens (JWE) come with jotgate.encryption"),
    **dict.fromkeys(range(62, 73), "refresh tokens come with SessionManager"),
    **dict.fromkeys(range(73, 83), "revocation and introspection are not there yet"),
    **dict.fromkeys(range(83, 87), "sender-constrained tokens are not there yet"),
}
