//! AWS' partitions: what a name of a region, a role or a host says of the one it is in.

/// The partitions by the regions in them, which begin like this; all other regions are in `aws`.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// The partition that a region is in.
pub(super) fn of_region(region: &str) -> &'static str {
    let known = PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix));
    known.map_or("aws", |(_, partition)| partition)
}

/// The partition in an ARN, and what follows it.
pub(super) fn of_arn(arn: &str) -> Option<(&str, &str)> {
    arn.strip_prefix("arn:")?.split_once(':')
}

/// What names of hosts end in there; `None` where that is not known.
pub(super) fn domain(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" | "aws-us-gov" => Some("amazonaws.com"),
        "aws-cn" => Some("amazonaws.com.cn"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_and_a_role_say_their_partition() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-iso-east-1", "aws-iso"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(of_region(region), partition);
        }
        assert_eq!(of_arn("arn:aws-cn:iam::1:role/r"), Some(("aws-cn", "iam::1:role/r")));
        assert_eq!(of_arn("role"), None);
    }
}
