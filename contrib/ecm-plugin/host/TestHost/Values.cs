// SPDX-License-Identifier: Apache-2.0
// A value of the SDK as plain JSON: its public properties. What may be a secret is shown as its SHA-256.

using System.Collections;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Jumpgate.EcmPlugin.TestHost;

internal static class Values
{
    private static readonly string[] Secrets = ["pass", "key", "secret", "token"];

    /// <summary>Dictionaries, lists and simple values only.</summary>
    internal static object? Plain(object? value) => value switch
    {
        null or string or bool => value,
        Enum name => name.ToString(),
        IEnumerable list => list.Cast<object?>().Select(Plain).ToArray(),
        _ when value.GetType().IsPrimitive => value,
        _ => Properties(value),
    };

    private static Dictionary<string, object?> Properties(object value)
    {
        var made = new Dictionary<string, object?>();
        foreach (var property in value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetIndexParameters().Length > 0)
            {
                continue;
            }
            var one = property.GetValue(value);
            if (one is string text && Array.Exists(Secrets, word => property.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            {
                made[property.Name + "Sha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
            }
            else
            {
                made[property.Name] = Plain(one);
            }
        }
        return made;
    }
}
